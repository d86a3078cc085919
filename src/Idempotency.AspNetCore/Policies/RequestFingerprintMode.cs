namespace Idempotency.AspNetCore;

/// <summary>The parts of a request that are compared to detect a reused key. A different request with the same key is rejected with 422.</summary>
public enum RequestFingerprintMode
{
    /// <summary>
    /// Method, path, query, media type (with its parameters, except a charset of utf-8) and body. JSON bodies are compared by value: member order, white space, escapes and number
    /// notation do not matter, and numbers are exact decimals. Other bodies are compared byte for byte. The default.
    /// In every mode, the antiforgery token of a form and the boundary of a multipart form are ignored, because they change each time a page is rendered or sent.
    /// </summary>
    ExactJson,

    /// <summary>Method, path, query, media type and body, byte for byte (of a form, without the parts named above).</summary>
    Raw,

    /// <summary>Nothing is compared: every retry receives the first response. Only the key decides, with the caller, method and path.</summary>
    None,
}
