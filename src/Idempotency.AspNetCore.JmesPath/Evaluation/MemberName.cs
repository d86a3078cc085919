using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace Idempotency.AspNetCore;

/// <summary>The name of a member that an expression asks for, ready to be compared with those of a document.</summary>
/// <remarks><c>JsonElement.TryGetProperty</c> throws when a name on its way has half of a surrogate pair in it, and a client writes the names.</remarks>
internal sealed class MemberName
{
    private readonly byte[] _utf8;

    public MemberName(string text)
    {
        Text = text;
        _utf8 = Encoding.UTF8.GetBytes(text);
    }

    public string Text { get; }

    /// <summary>The value of the last member of that name, null when there is none.</summary>
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

        // An escape is longer than what it stands for, at most six times: a name of a megabyte is not looked through for each element that asks for another.
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
