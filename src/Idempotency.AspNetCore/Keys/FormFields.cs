using System.Runtime.InteropServices;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;

namespace Idempotency.AspNetCore;

/// <summary>The fields of a form, for selectors: those that the handler sees in <c>Request.Form</c>, without files.</summary>
/// <remarks>
/// It is read from the buffered bytes and not with the framework's form feature, which would read files too, and write large ones to disk. The limits are those of the endpoint, or of the application's
/// <see cref="FormOptions"/>.
/// </remarks>
internal static class FormFields
{
    /// <summary>Reads the fields; null if the body is not a form, or there is an error.</summary>
    /// <param name="context">The request.</param>
    /// <param name="body">Its body.</param>
    /// <param name="error">The reason why the form cannot be read, for the client; null if it can.</param>
    public static IEnumerable<KeyValuePair<string, StringValues>>? Of(HttpContext context, RequestBody body, out string? error)
    {
        error = null;
        if (body.Bytes.IsEmpty)
        {
            return null; // an empty body is nothing, regardless of its media type
        }

        if (body.IsParsedForm)
        {
            return context.Features.Find<IFormFeature>()?.Form;
        }

        if (!MediaTypeHeaderValue.TryParse(context.Request.ContentType, out var type))
        {
            return null;
        }

        var isUrlEncoded = type.MediaType.Equals(FormContent.UrlEncoded, StringComparison.OrdinalIgnoreCase);
        if (!isUrlEncoded && !type.MediaType.Equals(FormContent.Multipart, StringComparison.OrdinalIgnoreCase))
        {
            return null;
        }

        try
        {
            var limits = LimitsOf(context);
            using var stream = MemoryMarshal.TryGetArray(body.Bytes, out var array) ? new MemoryStream(array.Array!, array.Offset, array.Count, writable: false) : new MemoryStream(body.Bytes.ToArray(), writable: false);
            return isUrlEncoded ? ReadUrlEncoded(stream, type, limits) : ReadMultipart(stream, type, limits);
        }
        catch (Exception malformed) when (malformed is InvalidDataException or IOException)
        {
            error = malformed.Message;
            return null;
        }
    }

    private static Dictionary<string, StringValues> ReadUrlEncoded(Stream body, MediaTypeHeaderValue type, FormOptions limits)
    {
        using var reader = new FormReader(body, EncodingOf(type))
        {
            ValueCountLimit = limits.ValueCountLimit,
            KeyLengthLimit = limits.KeyLengthLimit,
            ValueLengthLimit = limits.ValueLengthLimit,
        };
        return reader.ReadForm();
    }

    private static Dictionary<string, StringValues> ReadMultipart(Stream body, MediaTypeHeaderValue type, FormOptions limits)
    {
        var boundary = HeaderUtilities.RemoveQuotes(type.Boundary).ToString();
        if (boundary.Length == 0 || boundary.Length > limits.MultipartBoundaryLengthLimit)
        {
            throw new InvalidDataException("Its boundary is missing or too long.");
        }

        var reader = new MultipartReader(boundary, body)
        {
            HeadersCountLimit = limits.MultipartHeadersCountLimit,
            HeadersLengthLimit = limits.MultipartHeadersLengthLimit,
            BodyLengthLimit = limits.MultipartBodyLengthLimit,
        };
        var fields = new KeyValueAccumulator(); // names are not case-sensitive, as in Request.Form
        while (Now(reader.ReadNextSectionAsync()) is { } section)
        {
            if (!ContentDispositionHeaderValue.TryParse(section.ContentDisposition, out var disposition))
            {
                throw new InvalidDataException("A section has no valid Content-Disposition.");
            }

            if (!disposition.IsFormDisposition())
            {
                continue; // a file: the reader skips it
            }

            var name = HeaderUtilities.RemoveQuotes(disposition.Name).ToString();
            var value = Now(new FormMultipartSection(section, disposition).GetValueAsync());
            fields.Append(name, value);
            if (fields.ValueCount > limits.ValueCountLimit || name.Length > limits.KeyLengthLimit || value.Length > limits.ValueLengthLimit)
            {
                throw new InvalidDataException("It has too many fields, or a field that is too long.");
            }
        }

        return fields.GetResults();
    }

    // The readers only have asynchronous methods, but their input is in memory: each task is complete when it is returned.
    private static T Now<T>(Task<T> read) => read.GetAwaiter().GetResult();

    // UTF-7 is never decoded (RFC 7578 section 5.1.2 requires UTF-8; the framework does the same).
    private static Encoding EncodingOf(MediaTypeHeaderValue type) => type.Encoding is { CodePage: not 65000 } encoding ? encoding : Encoding.UTF8;

    private static FormOptions LimitsOf(HttpContext context)
    {
        var limits = context.RequestServices.GetService<IOptions<FormOptions>>()?.Value ?? new FormOptions();
        var metadata = context.GetEndpoint()?.Metadata;
        if (metadata?.GetMetadata<IFormOptionsMetadata>() is { } own)
        {
            return new FormOptions
            {
                ValueCountLimit = own.ValueCountLimit ?? limits.ValueCountLimit,
                KeyLengthLimit = own.KeyLengthLimit ?? limits.KeyLengthLimit,
                ValueLengthLimit = own.ValueLengthLimit ?? limits.ValueLengthLimit,
                MultipartBoundaryLengthLimit = own.MultipartBoundaryLengthLimit ?? limits.MultipartBoundaryLengthLimit,
                MultipartHeadersCountLimit = own.MultipartHeadersCountLimit ?? limits.MultipartHeadersCountLimit,
                MultipartHeadersLengthLimit = own.MultipartHeadersLengthLimit ?? limits.MultipartHeadersLengthLimit,
                MultipartBodyLengthLimit = own.MultipartBodyLengthLimit ?? limits.MultipartBodyLengthLimit,
            };
        }

        return metadata?.GetMetadata<RequestFormLimitsAttribute>() is { } action
            ? new FormOptions
            {
                ValueCountLimit = action.ValueCountLimit,
                KeyLengthLimit = action.KeyLengthLimit,
                ValueLengthLimit = action.ValueLengthLimit,
                MultipartBoundaryLengthLimit = action.MultipartBoundaryLengthLimit,
                MultipartHeadersCountLimit = action.MultipartHeadersCountLimit,
                MultipartHeadersLengthLimit = action.MultipartHeadersLengthLimit,
                MultipartBodyLengthLimit = action.MultipartBodyLengthLimit,
            }
            : limits;
    }
}
