namespace Idempotency.AspNetCore;

/// <summary>Sorts the query: <c>?b=2&amp;a=1</c> and <c>?a=1&amp;b=2</c> are the same query.</summary>
/// <remarks>
/// <para>1. Parameters are sorted by name; those with the same name stay in the order in which they were sent, which a handler can see. 2. Names are compared as the framework reads them: up to the first <c>=</c>,
/// unescaped, with a space for <c>+</c>, and not case-sensitive. <c>a</c>, <c>A</c> and <c>%61</c> are the same name. 3. Each parameter stays as it was sent: only the order changes.</para>
/// <para>A query whose parameters are already sorted is not changed.</para>
/// </remarks>
internal static class QueryText
{
    /// <summary>The sorted query, with its question mark.</summary>
    public static string Ordered(string query)
    {
        if (!query.Contains('&', StringComparison.Ordinal))
        {
            return query;
        }

        var parameters = query[1..].Split('&');
        var names = Array.ConvertAll(parameters, NameOf);
        for (var i = 1; i < names.Length; i++)
        {
            if (StringComparer.OrdinalIgnoreCase.Compare(names[i - 1], names[i]) > 0)
            {
                return "?" + string.Join('&', parameters.Zip(names).OrderBy(static named => named.Second, StringComparer.OrdinalIgnoreCase).Select(static named => named.First));
            }
        }

        return query;
    }

    private static string NameOf(string parameter)
    {
        var end = parameter.IndexOf('=', StringComparison.Ordinal);
        var name = end < 0 ? parameter : parameter[..end];
        return name.AsSpan().ContainsAny('%', '+') ? Uri.UnescapeDataString(name.Replace('+', ' ')) : name;
    }
}
