using System.Runtime.InteropServices;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Primitives;

namespace Idempotency.AspNetCore;

/// <summary>The execution of one request's handler under its claim: its response is captured, and recorded before it is sent.</summary>
internal sealed class RequestExecution(HttpContext context, string key, RequestBody body, OwnedClaim claim, RequestDelegate handler, ResponseRules rules, StoreCalls store, ILogger logger)
    : IdempotentRun, IIdempotencyFeature, IProtectedWork
{
    // One per thread, used while a response is encoded, which is synchronous.
    [ThreadStatic]
    private static List<StoredHeader>? HeaderList;

    private readonly IdempotencyPolicy _policy = claim.Policy;
    private ResponseCapture? _capture;

    private StreamedResponse? _streamed;

    public override string Key => key;

    /// <summary>Whether an authentication scheme produced the response, by a challenge or a forbid: 401, 403, a redirect or a page.</summary>
    public bool IsRefusedByScheme { get; set; }

    /// <summary>Whether an antiforgery check after the middleware failed. A check before it sets its own feature.</summary>
    public bool HasFailedAntiforgery { get; set; }

    public IServiceProvider Services => context.RequestServices;

    protected override OwnedClaim? Claim => claim;

    protected override (StoreKey StoreKey, Fingerprint Fingerprint) Identity => (claim.Key, claim.Request.Fingerprint);

    /// <summary>Runs the handler once and sends its response, unless another one counts.</summary>
    /// <returns>The outcome of the run. With a record or a problem, nothing has been sent.</returns>
    public async ValueTask<Completion> RunAsync(RunOnce runOnce)
    {
        try
        {
            var completion = await runOnce.RunAsync(claim, this);
            if (_streamed?.Completion is { } earlier && (earlier.Outcome == CompletionOutcome.Superseded || completion.Outcome == CompletionOutcome.Superseded))
            {
                completion = earlier; // nothing of this response was sent, or all but its end was, marked as not recorded
            }

            if (completion.Outcome is not (CompletionOutcome.Recorded or CompletionOutcome.NotRecorded or CompletionOutcome.Released))
            {
                _capture?.Reset();
            }
            else if (_capture is { State: ResponseCapture.Mode.Holding } capture)
            {
                Mark(completion);
                await capture.SendHeldAsync();
            }

            return completion;
        }
        catch (IdempotencyException exception) when (claim.Steps?.IsFailure(exception) == true && _capture is { State: ResponseCapture.Mode.Holding })
        {
            _capture.Reset();
            return new Completion(CompletionOutcome.StepFailed, EffectsStarted: claim.IsOutcomeUnknown, Failure: exception);
        }
        finally
        {
            _capture?.End();
        }
    }

    async ValueTask<byte[]?> IProtectedWork.RunAsync()
    {
        _capture?.Reset(); // discards the attempt that the database rolled back
        _capture?.End();
        IsRefusedByScheme = HasFailedAntiforgery = false;
        body.GiveBackTo(context);
        var capture = _capture = ResponseCapture.Install(context, _policy.MaxResponseBodySize, mayStream: claim.Transaction is null, _policy.HoldUnbufferedResponses, this);
        using (var features = HandlerFeatures.Install(context, this, capture, _policy.CompleteAfterDisconnect))
        {
            try
            {
                await handler(context);
                if (capture.State == ResponseCapture.Mode.Holding)
                {
                    if (features.WasAborted)
                    {
                        return null;
                    }

                    await capture.RunOnStartingAsync();
                }
            }
            catch (Exception exception) when (claim.Transaction?.IsConflict(exception) == true || claim.Steps?.IsFailure(exception) == true)
            {
                capture.DropOnStarting();
                throw;
            }
            catch when (_streamed is { Completion.Outcome: CompletionOutcome.NotRecorded })
            {
                await claim.CompleteAsync(_streamed.Payload); // most of the response has been sent: try again to record that
                throw;
            }
        }

        if (capture.State != ResponseCapture.Mode.Holding)
        {
            // Recorded when streaming started, or tried again now: the claim has been renewed since, and the store may be available again.
            return _streamed is { Completion.Outcome: not CompletionOutcome.Superseded } ? _streamed.Payload : null;
        }

        // The cast matters: a bare null would become an empty body.
        return IsToBeStored(capture.IsOverLimit ? default : capture.Held) ? Encode(capture.IsOverLimit ? (ReadOnlyMemory<byte>?)null : capture.Held) : null;
    }

    /// <summary>Called when the response exceeds the buffer. It is recorded without a body before its first byte is sent.</summary>
    /// <returns>Whether the rest can be streamed: not if another attempt's response counts.</returns>
    public async ValueTask<bool> MayStreamAsync()
    {
        await _capture!.RunOnStartingAsync();
        if (!IsToBeStored(body: default))
        {
            return true;
        }

        var payload = Encode(null);
        var completion = await claim.CompleteAsync(payload);
        _streamed = new StreamedResponse(payload, completion);
        Mark(completion);
        return completion.Outcome != CompletionOutcome.Superseded;
    }

    private bool IsToBeStored(ReadOnlyMemory<byte> body)
    {
        var status = context.Response.StatusCode;
        // These respond to one attempt, and no policy can record them for another. A success despite a failed antiforgery check (the caller may
        // have been verified in another way) has taken effect, so it is a response to the request.
        if (!RecordedStatuses.MayBeRecorded(status)
            || IsRefusedByScheme
            || (status >= 300 && (HasFailedAntiforgery || AntiforgeryCheck.HasFailed(context)))
            || SendsTheRequestElsewhere(status))
        {
            return false;
        }

        try
        {
            return _policy.ShouldStore?.Invoke(new RecordableResponse(context, body)) ?? IdempotencyPolicy.IsStoredByDefault(status);
        }
        catch (Exception exception)
        {
            // The effect has happened, so an error in this function must not release the claim.
            Log.ShouldStoreFailed(logger, claim.Key, exception);
            return IdempotencyPolicy.IsStoredByDefault(status);
        }
    }

    /// <summary>
    /// Whether the response redirects the same request to another scheme or host (to HTTPS, or to the canonical host name). The client repeats it there with
    /// its key, and a replay would redirect it forever.
    /// </summary>
    private bool SendsTheRequestElsewhere(int status)
    {
        var asked = context.Request;
        return status is 301 or 302 or 307 or 308
            && Uri.TryCreate(context.Response.Headers.Location, UriKind.Absolute, out var location)
            && (location.Scheme == Uri.UriSchemeHttp || location.Scheme == Uri.UriSchemeHttps) // on some systems, Uri treats a bare path as a file
            && (!location.Scheme.Equals(asked.Scheme, StringComparison.OrdinalIgnoreCase) || !location.Authority.Equals(asked.Host.Value, StringComparison.OrdinalIgnoreCase))
            && location.PathAndQuery == asked.PathBase.Add(asked.Path).ToUriComponent() + asked.QueryString.ToUriComponent();
    }

    /// <summary>Sets the response headers that show how the response was recorded.</summary>
    private void Mark(Completion completion)
    {
        var response = context.Response;
        if (completion.Outcome == CompletionOutcome.NotRecorded)
        {
            response.Headers[IdempotencyHeaders.Stored] = "false";
        }

        // After the headers were recorded, because the rest of the retention is computed for every replay.
        if (_policy.ClientCaching && completion.Outcome == CompletionOutcome.Recorded && StringValues.IsNullOrEmpty(response.Headers.CacheControl))
        {
            ResponseReplay.SetClientCaching(response, rules, _policy.Retention);
        }
    }

    /// <summary>Completes the response, and encodes it.</summary>
    /// <param name="body">The body, or null if it is not recorded.</param>
    private byte[] Encode(ReadOnlyMemory<byte>? body)
    {
        var response = context.Response;
        if (body is { } held)
        {
            body = FinishHeaders(response, held);
        }
        else
        {
            Log.ResponseBodyNotRecorded(logger, claim.Key);
        }

        var reasonPhrase = context.Features.Find<IHttpResponseFeature>()?.ReasonPhrase;
        var headers = HeaderList ?? [];
        HeaderList = null;
        try
        {
            StoredHeader.AddAll(response, _capture!.OuterHeaders, rules, headers);
            var stored = CollectionsMarshal.AsSpan(headers);
            var payload = StoredResponse.Encode(response.StatusCode, reasonPhrase, stored, body, store.CompressionThreshold);
            if (payload.Length > store.MaxPayloadSize)
            {
                Log.ResponseBodyNotRecorded(logger, claim.Key);
                payload = StoredResponse.Encode(response.StatusCode, reasonPhrase, stored, null, store.CompressionThreshold);
                payload = payload.Length <= store.MaxPayloadSize ? payload : StoredResponse.Encode(response.StatusCode, null, [], null, store.CompressionThreshold);
            }

            return payload;
        }
        finally
        {
            headers.Clear();
            HeaderList = headers;
        }
    }

    /// <summary>Sets the ETag and the correct length of a recorded response.</summary>
    private ReadOnlyMemory<byte> FinishHeaders(HttpResponse response, ReadOnlyMemory<byte> body)
    {
        var isHead = HttpMethods.IsHead(context.Request.Method);
        body = ResponseCapture.MayHaveBody(response.StatusCode) ? body : default;
        if (response.ContentLength is { } announced && announced != body.Length && !isHead)
        {
            // The server would otherwise abort the connection because of the mismatch, after the effect and with the response complete.
            response.ContentLength = ResponseCapture.MayHaveBody(response.StatusCode) ? body.Length : null;
        }

        if (_policy.EmitETag && StringValues.IsNullOrEmpty(response.Headers.ETag))
        {
            // Weak if the bytes can differ while the meaning is the same: the flag can be added, or, to an error without a body, a page by outer middleware.
            var isWeak = (rules.Flag is not null && ReplayFlag.MayCarry(response.Headers, static (headers, name) => headers[name])) || (body.IsEmpty && response.StatusCode >= 400);
            response.Headers.ETag = EntityTag.Of(claim, isWeak);
        }

        return isHead ? default : body; // never sent, so there is nothing to replay
    }

    /// <summary>A streamed response: its payload, and how it was recorded before its first byte was sent.</summary>
    private sealed record StreamedResponse(byte[] Payload, Completion Completion);
}
