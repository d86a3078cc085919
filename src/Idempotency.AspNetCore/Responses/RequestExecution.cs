using System.Runtime.InteropServices;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Primitives;

namespace Idempotency.AspNetCore;

/// <summary>One request's handler under its claim: its response is captured, and recorded before it is sent.</summary>
internal sealed class RequestExecution(HttpContext context, string key, RequestBody body, OwnedClaim claim, RequestDelegate handler, ResponseRules rules, StoreCalls store, ILogger logger)
    : IdempotentRun, IIdempotencyFeature, IProtectedWork
{
    // One for each thread, in use while a response is encoded, which never waits.
    [ThreadStatic]
    private static List<StoredHeader>? HeaderList;

    private readonly IdempotencyPolicy _policy = claim.Policy;
    private ResponseCapture? _capture;

    private StreamedResponse? _streamed;

    public override string Key => key;

    /// <summary>Whether an authentication scheme made the response, of a challenge or a forbid: 401, 403, a redirect, a page.</summary>
    public bool IsRefusedByScheme { get; set; }

    /// <summary>Whether an antiforgery check behind the middleware failed. One before it leaves its own feature.</summary>
    public bool HasFailedAntiforgery { get; set; }

    public IServiceProvider Services => context.RequestServices;

    protected override OwnedClaim? Claim => claim;

    protected override (StoreKey StoreKey, Fingerprint Fingerprint) Identity => (claim.Key, claim.Request.Fingerprint);

    /// <summary>Runs the handler once and sends its response, unless another one counts.</summary>
    /// <returns>What became of the run. With a record or a problem, nothing has been sent.</returns>
    public async ValueTask<Completion> RunAsync(RunOnce runOnce)
    {
        try
        {
            var completion = await runOnce.RunAsync(claim, this);
            if (_streamed?.Completion is { } earlier && (earlier.Outcome == CompletionOutcome.Superseded || completion.Outcome == CompletionOutcome.Superseded))
            {
                completion = earlier; // nothing of this response was sent; or all but its end was, marked as not recorded
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
        _capture?.Reset(); // of the attempt before, which the database undid
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
                await claim.CompleteAsync(_streamed.Payload); // most of the response has been sent: another try to record that
                throw;
            }
        }

        if (capture.State != ResponseCapture.Mode.Holding)
        {
            // Recorded when streaming began, or tried again now: the handler has kept its claim since, and the store may be back.
            return _streamed is { Completion.Outcome: not CompletionOutcome.Superseded } ? _streamed.Payload : null;
        }

        // The cast matters: a bare null would become an empty body.
        return IsToBeStored(capture.IsOverLimit ? default : capture.Held) ? Encode(capture.IsOverLimit ? (ReadOnlyMemory<byte>?)null : capture.Held) : null;
    }

    /// <summary>More is coming than is held. The response is recorded as it is so far, without a body, before its first byte is sent.</summary>
    /// <returns>Whether the rest may stream: not when another attempt's response counts.</returns>
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
        // Responses to one attempt: no policy can make them responses to another. A success in spite of a failed antiforgery check (the caller may
        // have proved itself otherwise) has taken effect, and is a response to the request.
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
        var asked = context.Request;
        return status is 301 or 302 or 307 or 308
            && Uri.TryCreate(context.Response.Headers.Location, UriKind.Absolute, out var location)
            && (location.Scheme == Uri.UriSchemeHttp || location.Scheme == Uri.UriSchemeHttps) // not the file that a bare path is to Uri on some systems
            && (!location.Scheme.Equals(asked.Scheme, StringComparison.OrdinalIgnoreCase) || !location.Authority.Equals(asked.Host.Value, StringComparison.OrdinalIgnoreCase))
            && location.PathAndQuery == asked.PathBase.Add(asked.Path).ToUriComponent() + asked.QueryString.ToUriComponent();
    }

    /// <summary>Says on the response what became of its record.</summary>
    private void Mark(Completion completion)
    {
        var response = context.Response;
        if (completion.Outcome == CompletionOutcome.NotRecorded)
        {
            response.Headers[IdempotencyHeaders.Stored] = "false";
        }

        // After the headers were recorded: how long is left is computed for every replay.
        if (_policy.ClientCaching && completion.Outcome == CompletionOutcome.Recorded && StringValues.IsNullOrEmpty(response.Headers.CacheControl))
        {
            ResponseReplay.SetClientCaching(response, rules, _policy.Retention);
        }
    }

    /// <summary>Finishes the response, and encodes it.</summary>
    /// <param name="body">The body, or null when it is not recorded.</param>
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

    /// <summary>Gives a recorded response its ETag, and a length that is true.</summary>
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

    /// <summary>A response that streams: its payload, and what became of it before its first byte was sent.</summary>
    private sealed record StreamedResponse(byte[] Payload, Completion Completion);
}
