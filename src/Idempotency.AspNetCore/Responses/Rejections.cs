using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Idempotency.AspNetCore;

/// <summary>Rejects a request with a problem: through the application's <c>IProblemDetailsService</c> if there is one (<c>AddProblemDetails()</c>), otherwise directly.</summary>
internal sealed class Rejections(Telemetry telemetry, ILogger<Rejections> logger)
{
    public async Task RejectAsync(HttpContext context, IdempotencyProblem problem)
    {
        telemetry.RequestEnded(context, problem.Code);
        Log.Rejected(logger, context.Request.Method, context.Request.Path, problem.Code);
        var response = context.Response;
        response.StatusCode = problem.Status;
        response.Headers.CacheControl = "no-store";
        if (problem.RetryAfterSeconds is { } seconds)
        {
            response.Headers.RetryAfter = seconds.ToString(CultureInfo.InvariantCulture);
        }

        if (context.RequestServices.GetService<IProblemDetailsService>() is { } service && await IsWrittenAsync(service, Describe(context, problem)))
        {
            return;
        }

        // There is no service, the client does not accept JSON, or a writer wrote nothing. Clients still need the code.
        var json = Json(problem);
        response.ContentType = "application/problem+json";
        response.ContentLength = json.Length;
        await response.BodyWriter.WriteAsync(json);
    }

    /// <summary>Lets the application write the problem, and returns whether there is a body.</summary>
    /// <remarks>
    /// The return value of the service is not reliable: the writer of <c>AddControllersWithViews()</c> reports success without writing anything if the endpoint is not a controller action or no formatter matches. The body is
    /// therefore buffered until it is known. It is small.
    /// </remarks>
    private static async Task<bool> IsWrittenAsync(IProblemDetailsService service, ProblemDetailsContext problem)
    {
        var response = problem.HttpContext.Response;
        var body = response.Body;
        using var held = new MemoryStream();
        response.Body = held;
        try
        {
            await service.TryWriteAsync(problem);
            await response.BodyWriter.FlushAsync(); // otherwise, data left in the writer is lost
        }
        finally
        {
            response.Body = body;
        }

        if (held.Length == 0)
        {
            return false;
        }

        await body.WriteAsync(held.GetBuffer().AsMemory(0, (int)held.Length));
        return true;
    }

    /// <summary>Responds as the framework does to a body that cannot be read.</summary>
    public static Task RejectUnreadableBodyAsync(HttpContext context, int status)
    {
        context.Response.StatusCode = status;
        return Task.CompletedTask;
    }

    /// <summary>Rejects a request without a valid antiforgery token, as frameworks do. If the handler does not run, it cannot reject the request itself.</summary>
    public Task RejectForgeryAsync(HttpContext context)
    {
        telemetry.RequestEnded(context, Telemetry.Forged);
        context.Response.StatusCode = StatusCodes.Status400BadRequest;
        return Task.CompletedTask;
    }

    /// <summary>Rejects a gRPC call that a proxy forwarded to a protected endpoint.</summary>
    public Task RejectGrpcAsync(HttpContext context)
    {
        Log.GrpcRejected(logger, context.GetEndpoint()?.DisplayName);
        UnsuitableEndpoints.RejectGrpcCall(context.Response);
        return Task.CompletedTask;
    }

    private static ProblemDetailsContext Describe(HttpContext context, IdempotencyProblem problem) => new()
    {
        HttpContext = context,
        AdditionalMetadata = context.GetEndpoint()?.Metadata,
        ProblemDetails = new ProblemDetails
        {
            Type = problem.Type,
            Title = problem.Title,
            Status = problem.Status,
            Detail = problem.Detail,
            Extensions = { ["code"] = problem.Code, ["retry"] = problem.Retry },
        },
    };

    /// <summary>The problem as JSON; also the example in an OpenAPI document.</summary>
    internal static ReadOnlyMemory<byte> Json(IdempotencyProblem problem)
    {
        var json = new ArrayBufferWriter<byte>(1024); // enough for the whole document, because many duplicates can be rejected at once
        using (var writer = new Utf8JsonWriter(json))
        {
            writer.WriteStartObject();
            writer.WriteString("type", problem.Type);
            writer.WriteString("title", problem.Title);
            writer.WriteNumber("status", problem.Status);
            writer.WriteString("detail", problem.Detail);
            writer.WriteString("code", problem.Code);
            writer.WriteString("retry", problem.Retry);
            writer.WriteEndObject();
        }

        return json.WrittenMemory;
    }
}
