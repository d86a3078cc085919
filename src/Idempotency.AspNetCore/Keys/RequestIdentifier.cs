using Microsoft.AspNetCore.Http;

namespace Idempotency.AspNetCore;

/// <summary>Identifies a request: its key, its body and its fingerprint.</summary>
/// <param name="selectors">The selectors of policies.</param>
/// <param name="isResponseAtHand">Whether the local cache has the response of a stored key.</param>
internal sealed class RequestIdentifier(PolicySelectorCache selectors, Func<StoreKey, bool> isResponseAtHand)
{
    /// <summary>Reads the key and the body.</summary>
    /// <remarks>
    /// 1. A key header is parsed before the body is read, so that a client that waits for 100 Continue need not send the body. 2. So is a missing header, if the
    /// key cannot come from elsewhere. The stored key follows from the header, and shows whether the response is at hand. 3. The body is read within the limit. 4. Without a header, the key is selected from the request, or is the whole body.
    /// </remarks>
    public async ValueTask<Identification> IdentifyAsync(HttpContext context, IdempotencyPolicy policy)
    {
        var header = policy.TakesKeyFromHeader ? context.Request.Headers[policy.HeaderName] : default;
        var key = "";
        StoreKey storeKey = default;
        if (header.Count > 0)
        {
            if (!IdempotencyKey.TryParse(header, out key, out var error))
            {
                return IdempotencyProblem.KeyInvalid(policy.HeaderName, error);
            }

            storeKey = RequestIdentity.StoreKeyOf(context, policy, key, KeyOrigin.Header);
        }
        else if (!policy.TakesKeyFromContent)
        {
            return policy.KeyRequired ? IdempotencyProblem.KeyMissing(policy) : Identification.NoKey();
        }

        RequestBody body;
        try
        {
            // Of a request whose response is at hand, only the fingerprint needs the body.
            var isForReplay = context.Request.ContentLength >= RequestBody.PooledFrom && header.Count > 0 && policy.AuthorizeReplay is null && isResponseAtHand(storeKey);
            body = await RequestBody.ReadAsync(context, policy.MaxRequestBodySize, isForReplay);
        }
        catch (IOException exception)
        {
            // The framework responds in the same way to a body that a handler cannot read: the server's own limits have a status; a client that disconnected needs none.
            return Identification.UnreadableBody((exception as BadHttpRequestException)?.StatusCode ?? StatusCodes.Status400BadRequest);
        }

        if (body.IsTooLarge)
        {
            return IdempotencyProblem.BodyTooLarge(policy.MaxRequestBodySize);
        }

        if (header.Count > 0)
        {
            return Identification.Of(new IdentifiedRequest(key, storeKey, body));
        }

        var selector = selectors.Of(policy);
        var selected = selector.KeyOf(context, body);
        return selected.Error is { } inapplicable ? IdempotencyProblem.SelectorInapplicable(inapplicable)
            : selected.Hash is { } hash ? Identification.Of(new IdentifiedRequest(hash, RequestIdentity.StoreKeyOf(context, policy, hash, selector.Key is null ? KeyOrigin.Body : KeyOrigin.Selection), body))
            : policy.KeyRequired ? IdempotencyProblem.KeyMissing(policy)
            : Identification.NoKey(body);
    }

    /// <summary>Computes the fingerprint that a duplicate must have.</summary>
    /// <returns>Null if there is a fingerprint; otherwise the problem with which the request is rejected.</returns>
    public IdempotencyProblem? TryFingerprint(HttpContext context, IdempotencyPolicy policy, in IdentifiedRequest request, out Fingerprint fingerprint) =>
        selectors.Of(policy).TryFingerprint(context, policy, request.Body, out fingerprint, out var error) ? null : IdempotencyProblem.SelectorInapplicable(error);
}
