using System.Text;

namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>JSON as clients send it, and as those send it who want to be a nuisance.</summary>
internal static class Documents
{
    /// <summary>An array of customers of about this many bytes; one payment when that is small.</summary>
    public static byte[] Customers(int size, bool isSorted)
    {
        if (size <= 100)
        {
            return Encoding.UTF8.GetBytes(isSorted
                ? """{"amount":12.5,"email":"ann@example.com","name":"Ann Example","note":"hello"}"""
                : """{"name":"Ann Example","email":"ann@example.com","amount":12.5,"note":"hello"}""");
        }

        var json = new StringBuilder("[");
        for (var i = 0; json.Length < size - 150; i++)
        {
            json.Append(i == 0 ? "" : ",").Append(isSorted
                ? $$"""{"active":true,"email":"c{{i}}@example.com","id":{{i}}.5,"name":"customer number {{i}}","tags":["a","b\n"],"text":"some longer text here"}"""
                : $$"""{"name":"customer number {{i}}","id":{{i}}.5,"email":"c{{i}}@example.com","active":true,"tags":["a","b\n"],"text":"some longer text here"}""");
        }

        return Encoding.UTF8.GetBytes(json.Append(']').ToString());
    }

    /// <summary>An object of so many members.</summary>
    /// <param name="members">How many.</param>
    /// <param name="name">The name of each.</param>
    public static byte[] Wide(int members, Func<int, string> name) =>
        Encoding.UTF8.GetBytes("{" + string.Join(",", Enumerable.Range(0, members).Select(i => $"\"{name(i)}\":0")) + "}");

    /// <summary>As deep as is allowed (a customer is three levels more), unsorted at every level, around so many bytes: what is inside moves once a level.</summary>
    public static byte[] Deep(int size) => Encoding.UTF8.GetBytes(
        string.Concat(Enumerable.Repeat("""{"b":1,"a":""", 61)) + Encoding.UTF8.GetString(Customers(size, isSorted: false)) + new string('}', 61));

    /// <summary>One string in which every character is escaped.</summary>
    public static byte[] Escapes(int size) => Encoding.UTF8.GetBytes("\"" + string.Concat(Enumerable.Repeat("\\u0041", size / 6)) + "\"");

    /// <summary>Numbers of a thousand digits, with exponents.</summary>
    public static byte[] LongNumbers(int size) => Encoding.UTF8.GetBytes(
        "[" + string.Join(",", Enumerable.Range(0, Math.Max(1, size / 1000)).Select(i => new string('9', 990) + $"e{i}")) + "]");

    /// <summary>One number.</summary>
    public static byte[] OneNumber(int size) => Encoding.UTF8.GetBytes("0." + new string('0', size / 2) + new string('9', size / 2));
}
