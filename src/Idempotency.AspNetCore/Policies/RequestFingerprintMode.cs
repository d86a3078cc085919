namespace Idempotency.AspNetCore;

/// <summary>What of a request must be the same for a retry to be the same request. Another request under the same key is answered 422.</summary>
public enum RequestFingerprintMode
{
    /// <summary>
    /// Method, path, query, media type (with its parameters, but for a charset of utf-8) and body; JSON bodies are compared by value (member order, white space, escapes and number
    /// notation do not matter, and numbers are exact decimals), anything else byte for byte. The default.
    /// Of a form, in every mode, the antiforgery token and the boundary of a multipart form do not count: a page rendered anew has others.
    /// </summary>
    ExactJson,

    /// <summary>Method, path, query, media type and body, byte for byte (of a form, without what is named above).</summary>
    Raw,

    /// <summary>Nothing: whatever a retry carries, it gets the first answer. The key alone (with caller, method and path) decides.</summary>
    None,
}
