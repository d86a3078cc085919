using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace Idempotency.AspNetCore;

/// <summary>The name of a member in an expression, prepared for the comparison with names in a document.</summary>
/// <remarks><c>JsonElement.TryGetProperty</c> throws if it passes a name with an unpaired surrogate, and clients choose the names.</remarks>
internal sealed class MemberName
{
    private readonly byte[] _utf8;

    public MemberName(string text)
    {
        Text = text;
        _utf8 = Encoding.UTF8.GetBytes(text);
    }

    public string Text { get; }

    /// <summary>The value of the last member with the name; null if there is none.</summary>
    public Value FindIn(JsonElement element, Evaluation run)
    {
        var found = Value.Null;
        var passed = 0;
        foreach (var property in element.EnumerateObject())
        {
            passed++;
            var name = JsonMarshal.GetRawUtf8PropertyName(property);
            if (name.SequenceEqual(_utf8) || (MayBeEscaped(name) && JsonString.Decode(name) == Text))
            {
                found = new Value(property.Value);
            }
        }

        run.Charge(passed / Evaluation.MembersInAStep);
        return found;

        // An escape is at most six times longer than its character, so a very long name is not scanned for each element with another name.
        bool MayBeEscaped(ReadOnlySpan<byte> name)
        {
            if (name.Length <= _utf8.Length || name.Length > 6 * _utf8.Length || !name.Contains((byte)'\\'))
            {
                return false;
            }

            run.Charge(1 + (name.Length / Evaluation.CharactersInAStep));
            return true;
        }
    }
}
