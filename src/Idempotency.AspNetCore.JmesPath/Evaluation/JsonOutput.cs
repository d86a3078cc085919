using System.Buffers;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace Idempotency.AspNetCore;

/// <summary>Writes a value as compact JSON in UTF-8.</summary>
/// <remarks>
/// Equal values have the same text, whatever escapes and white space the document has: only <c>"</c>, <c>\</c>, U+0000 to U+001F and lone surrogates are escaped. Numbers
/// keep their digits. If an object that is selected as a whole has several members with the same name, all are written, so that different documents stay different.
/// </remarks>
internal static class JsonOutput
{
    public static void Write(Value value, Evaluation run, IBufferWriter<byte> json) => Write(value, run, json, 0);

    public static string ToText(Value value, Evaluation run)
    {
        var json = new ArrayBufferWriter<byte>();
        Write(value, run, json);
        return Encoding.UTF8.GetString(json.WrittenSpan);
    }

    private static void Write(Value value, Evaluation run, IBufferWriter<byte> json, int depth)
    {
        run.Charge(1);
        run.Nest(depth);
        switch (value.Kind)
        {
            case ValueKind.Null:
                json.Write("null"u8);
                break;
            case ValueKind.Boolean:
                json.Write(value.IsTrue ? "true"u8 : "false"u8);
                break;
            case ValueKind.Number:
                run.Charge(value.Digits.Length / Evaluation.CharactersInAStep);
                json.Write(value.Digits);
                break;
            case ValueKind.String:
                WriteString(value.Text(run), run, json);
                break;
            case ValueKind.Array:
                var separator = "["u8;
                foreach (var item in value.Elements(run))
                {
                    json.Write(separator);
                    Write(item, run, json, depth + 1);
                    separator = ","u8;
                }

                json.Write(separator is [(byte)'['] ? "[]"u8 : "]"u8);
                break;
            default:
                WriteObject(value, run, json, depth);
                break;
        }
    }

    private static void WriteObject(Value value, Evaluation run, IBufferWriter<byte> json, int depth)
    {
        var separator = "{"u8;
        if (value.TryGetElement(out var element))
        {
            foreach (var property in element.EnumerateObject())
            {
                json.Write(separator);
                run.Charge(JsonMarshal.GetRawUtf8PropertyName(property).Length / Evaluation.CharactersInAStep);
                WriteString(JsonString.NameOf(property), run, json);
                json.Write(":"u8);
                Write(new Value(property.Value), run, json, depth + 1);
                separator = ","u8;
            }
        }
        else
        {
            var members = value.Members(run);
            for (var i = 0; i < members.Count; i++)
            {
                json.Write(separator);
                WriteString(members[i].Key, run, json);
                json.Write(":"u8);
                Write(members[i].Value, run, json, depth + 1);
                separator = ","u8;
            }
        }

        json.Write(separator is [(byte)'{'] ? "{}"u8 : "}"u8);
    }

    private static void WriteString(string text, Evaluation run, IBufferWriter<byte> json)
    {
        run.Charge(text.Length / Evaluation.CharactersInAStep);
        json.Write("\""u8);
        var plain = 0;
        for (var i = 0; i < text.Length; i++)
        {
            var c = text[i];
            if (char.IsSurrogate(c) && i + 1 < text.Length && char.IsSurrogatePair(c, text[i + 1]))
            {
                i++;
                continue;
            }

            if (c >= ' ' && c is not ('"' or '\\') && !char.IsSurrogate(c))
            {
                continue;
            }

            Encoding.UTF8.GetBytes(text.AsSpan(plain, i - plain), json);
            plain = i + 1;
            switch (c)
            {
                case '"':
                    json.Write("\\\""u8);
                    break;
                case '\\':
                    json.Write("\\\\"u8);
                    break;
                case '\b':
                    json.Write("\\b"u8);
                    break;
                case '\t':
                    json.Write("\\t"u8);
                    break;
                case '\n':
                    json.Write("\\n"u8);
                    break;
                case '\f':
                    json.Write("\\f"u8);
                    break;
                case '\r':
                    json.Write("\\r"u8);
                    break;
                default:
                    Encoding.UTF8.GetBytes($"\\u{(int)c:x4}", json);
                    break;
            }
        }

        Encoding.UTF8.GetBytes(text.AsSpan(plain), json);
        json.Write("\""u8);
    }
}
