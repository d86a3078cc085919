using Microsoft.AspNetCore.Http;

namespace Idempotency.AspNetCore;

/// <summary>A file of the page, embedded in the assembly.</summary>
internal sealed class PageFile(string name, string contentType)
{
    private readonly Lazy<byte[]> _content = new(() => Read(name));

    public async Task SendAsync(HttpContext context)
    {
        var content = _content.Value;
        context.Response.ContentType = contentType;
        context.Response.ContentLength = content.Length;
        await context.Response.Body.WriteAsync(content, context.RequestAborted);
    }

    private static byte[] Read(string name)
    {
        using var resource = typeof(PageFile).Assembly.GetManifestResourceStream(name) ?? throw new InvalidOperationException($"The file '{name}' is not in the assembly.");
        var content = new byte[resource.Length];
        resource.ReadExactly(content);
        return content;
    }
}
