using System.Runtime.InteropServices;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Primitives;

namespace Idempotency.AspNetCore;

/// <summary>Runs the handler of an acquired claim: once, recorded before told.</summary>
internal sealed class ProtectedRun(HttpContext context, string key, OwnedClaim claim, ResponseRules rules, ClaimEngine engine, ILogger logger) : IdempotentRun, IIdempotencyFeature
{
    // One for each thread, in use while an answer is encoded, which never waits.
    [ThreadStatic]
    private static List<StoredHeader>? HeaderList;

    private readonly IdempotencyPolicy _policy = claim.Policy;
    private ResponseCapture? _capture;
    private Completion? _completion;
    private byte[] _payload = [];

    public override string Key => key;

    protected override OwnedClaim? Claim => claim;

    protected override (Sha256Hash StoreKey, Sha256Hash Fingerprint) Identity => (claim.Key, claim.Fingerprint);

    protected override ClaimEngine Engine => engine;

    /// <summary>Runs the handler and sends its answer, or tells that another attempt's answer counts.</summary>
    /// <returns>The outcome of recording; null when the answer was not to be recorded, and the key is free. Unless it is recorded or cannot be, no answer has been sent.</returns>
    public async ValueTask<Completion?> RunAsync(RequestDelegate handler)
    {
        // Asked for only then: a request has no scope of services before somebody wants one, and few handlers do.
        if (claim.IsTransactional && !await engine.TryBeginAsync(claim, context.RequestServices))
        {
            return new Completion(CompletionOutcome.Undone);
        }

        var capture = _capture = ResponseCapture.Install(context, _policy.MaxResponseBodySize, mayStream: claim.Transaction is null, this);
        try
        {
            await RunAndRecordAsync(handler, capture);
            if (_completion is { Outcome: not (CompletionOutcome.Recorded or CompletionOutcome.NotRecorded) })
            {
                capture.Reset();
            }
            else if (capture.State == ResponseCapture.Mode.Holding)
            {
                await capture.SendHeldAsync();
            }

            return _completion;
        }
        finally
        {
            capture.End();
        }
    }

    private async Task RunAndRecordAsync(RequestDelegate handler, ResponseCapture capture)
    {
        var lifetime = DetachedLifetime.Install(context, _policy.CompleteAfterDisconnect);
        context.Features.Put<IIdempotencyFeature>(this);
        var upgrade = RefusedUpgrade.Install(context);
        try
        {
            try
            {
                await handler(context);
                if (capture.State == ResponseCapture.Mode.Holding && !lifetime.WasAborted)
                {
                    await capture.RunOnStartingAsync();
                }
            }
            catch (Exception exception) when (claim.Transaction?.IsConflict(exception) == true)
            {
                Log.TransactionConflict(logger, claim.Key, exception);
                capture.DropOnStarting();
                _completion = new Completion(CompletionOutcome.Conflict);
                await ClaimEngine.RollBackAsync(claim);
            }
            finally
            {
                context.Features.Put<IIdempotencyFeature>(null);
                upgrade?.Uninstall();
                lifetime.Uninstall();
                capture.Uninstall();
            }

            if (_completion is null && capture.State == ResponseCapture.Mode.Holding && !lifetime.WasAborted && IsToBeStored())
            {
                // The cast matters: a bare null would become an empty body.
                _completion = Marked(await RecordAsync(capture.IsOverLimit ? (ReadOnlyMemory<byte>?)null : capture.Held));
            }
        }
        finally
        {
            if (_completion is null)
            {
                // Nothing to record: an exception, a status that is not stored, or the handler cut the connection. A retry may run.
                await engine.ReleaseAsync(claim);
            }
            else if (_completion is { Outcome: CompletionOutcome.NotRecorded })
            {
                if (capture.State == ResponseCapture.Mode.Streaming)
                {
                    // That was when streaming began; the handler has kept its claim since, and the store may be back.
                    // If it turns out that another attempt's answer counts, this one is all but told, and marked as not recorded.
                    var again = await engine.CompleteAsync(claim, _payload);
                    _completion = again.Outcome == CompletionOutcome.Superseded ? _completion : again;
                }

                engine.Leave(claim);
            }
        }
    }

    /// <summary>More is coming than is kept. The answer is recorded as it is so far, without a body, before its first byte goes out.</summary>
    /// <returns>Whether the rest may stream: not when another attempt's answer counts.</returns>
    public async ValueTask<bool> MayStreamAsync()
    {
        await _capture!.RunOnStartingAsync();
        if (IsToBeStored())
        {
            _completion = Marked(await RecordAsync(null));
        }

        return _completion is not { Outcome: CompletionOutcome.Superseded };
    }

    private bool IsToBeStored()
    {
        var status = context.Response.StatusCode;
        // 1xx are no answers, 304 and 412 answer a precondition of one request: nobody's policy can make them answers to another.
        if (status is < 200 or 304 or 412 || SendsTheRequestElsewhere(status))
        {
            return false;
        }

        try
        {
            return _policy.ShouldStore?.Invoke(context) ?? IdempotencyPolicy.IsStoredByDefault(status);
        }
        catch (Exception exception)
        {
            // The effect has happened: an error in judging it must not free the key.
            Log.ShouldStoreFailed(logger, claim.Key, exception);
            return IdempotencyPolicy.IsStoredByDefault(status);
        }
    }

    /// <summary>
    /// Whether the answer is a redirection of this very request to another scheme or host (to HTTPS, to the canonical name). It comes back there with
    /// its key, and would be sent round in a circle by a replay.
    /// </summary>
    private bool SendsTheRequestElsewhere(int status)
    {
        var request = context.Request;
        return status is 301 or 302 or 307 or 308
            && Uri.TryCreate(context.Response.Headers.Location, UriKind.Absolute, out var location)
            && (location.Scheme == Uri.UriSchemeHttp || location.Scheme == Uri.UriSchemeHttps) // not the file that a bare path is to Uri on some systems
            && (!location.Scheme.Equals(request.Scheme, StringComparison.OrdinalIgnoreCase) || !location.Authority.Equals(request.Host.Value, StringComparison.OrdinalIgnoreCase))
            && location.PathAndQuery == request.PathBase.Add(request.Path).ToUriComponent() + request.QueryString.ToUriComponent();
    }

    /// <summary>Finishes the answer, and has it recorded.</summary>
    /// <param name="held">The body, or null when it is not kept.</param>
    private ValueTask<Completion> RecordAsync(ReadOnlyMemory<byte>? held)
    {
        if (held is { } written)
        {
            held = FinishHeaders(context.Response, written);
        }
        else
        {
            Log.ResponseNotKept(logger, claim.Key);
        }

        _payload = Encode(held);
        return engine.CompleteAsync(claim, _payload);
    }

    /// <summary>Says on the answer what became of its record.</summary>
    private Completion Marked(Completion completion)
    {
        var response = context.Response;
        if (completion.Outcome == CompletionOutcome.NotRecorded)
        {
            response.Headers[IdempotencyHeaders.Stored] = "false";
        }

        // After the headers were recorded: how long is left is told afresh with every replay.
        if (_policy.ClientCaching && completion.Outcome == CompletionOutcome.Recorded && StringValues.IsNullOrEmpty(response.Headers.CacheControl))
        {
            ResponseReplay.SetClientCaching(response, rules, _policy.Retention);
        }

        return completion;
    }

    private byte[] Encode(ReadOnlyMemory<byte>? body)
    {
        var response = context.Response;
        var reasonPhrase = context.Features.Find<IHttpResponseFeature>()?.ReasonPhrase;
        var headers = HeaderList ?? [];
        HeaderList = null;
        try
        {
            StoredHeader.AddAll(response, _capture!.OuterHeaders, rules, headers);
            var stored = CollectionsMarshal.AsSpan(headers);
            var payload = StoredResponse.Encode(response.StatusCode, reasonPhrase, stored, body, engine.Store.CompressionThreshold);
            if (payload.Length > engine.Store.MaxPayloadSize)
            {
                Log.ResponseNotKept(logger, claim.Key);
                payload = StoredResponse.Encode(response.StatusCode, reasonPhrase, stored, null, engine.Store.CompressionThreshold);
                payload = payload.Length <= engine.Store.MaxPayloadSize ? payload : StoredResponse.Encode(response.StatusCode, null, [], null, engine.Store.CompressionThreshold);
            }

            return payload;
        }
        finally
        {
            headers.Clear();
            HeaderList = headers;
        }
    }

    /// <summary>Gives a recorded answer its ETag, and a length that is true.</summary>
    private ReadOnlyMemory<byte> FinishHeaders(HttpResponse response, ReadOnlyMemory<byte> body)
    {
        var isHead = HttpMethods.IsHead(context.Request.Method);
        body = ResponseCapture.MayHaveBody(response.StatusCode) ? body : default;
        if (response.ContentLength is { } announced && announced != body.Length && !isHead)
        {
            // The server would cut the connection over the difference, after the effect and with the answer in hand.
            response.ContentLength = ResponseCapture.MayHaveBody(response.StatusCode) ? body.Length : null;
        }

        if (_policy.EmitETag && StringValues.IsNullOrEmpty(response.Headers.ETag))
        {
            // Weak where the bytes may differ and the meaning does not: the flag may be added, or, to an error without a body, a page by the middleware outside.
            var isWeak = (rules.Flag is not null && ReplayFlag.MayCarry(response.Headers, static (headers, name) => headers[name])) || (body.IsEmpty && response.StatusCode >= 400);
            response.Headers.ETag = EntityTag.Of(claim, isWeak);
        }

        return isHead ? default : body; // never sent, so nothing to send again
    }
}
