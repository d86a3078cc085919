using Microsoft.Extensions.Logging;

namespace Idempotency.AspNetCore;

/// <summary>Runs the work of a claim once, and ends the claim. Both entry points use it.</summary>
/// <remarks>
/// 1. If the policy requires it, a transaction is started. 2. The work runs. 3. Its response is recorded. If it is not one that is recorded, or after an exception, the claim is
/// released. 4. If the database rolled back the transaction because of a conflict, the run is repeated as often as the policy allows.
/// When this returns, the claim has ended, and its end determines the response.
/// </remarks>
internal sealed class RunOnce(ILogger<RunOnce> logger)
{
    public async ValueTask<Completion> RunAsync(OwnedClaim claim, IProtectedWork work)
    {
        Completion completion;
        await using (claim)
        {
            var retriesLeft = claim.Policy.TransactionRetries;
            do
            {
                completion = await AttemptAsync(claim, work);
            }
            while (completion.Outcome == CompletionOutcome.Conflict && !claim.IsOutcomeUnknown && retriesLeft-- > 0);
        }

        return completion with { EffectsStarted = claim.IsOutcomeUnknown };
    }

    private async ValueTask<Completion> AttemptAsync(OwnedClaim claim, IProtectedWork work)
    {
        if (claim.Policy.Transaction != IdempotencyTransaction.Separate && !await TryBeginAsync(claim, work.Services))
        {
            return new Completion(CompletionOutcome.Undone);
        }

        await (claim.Steps?.SettleAsync(restarts: true) ?? default);
        try
        {
            return await work.RunAsync() is { } payload ? await claim.CompleteAsync(payload) : new Completion(CompletionOutcome.Released);
        }
        catch (Exception exception) when (claim.Transaction?.IsConflict(exception) == true)
        {
            Log.TransactionConflict(logger, claim.Key, exception);
            await claim.RollBackAsync();
            return new Completion(CompletionOutcome.Conflict);
        }
    }

    /// <returns>False if the database is unavailable; nothing was changed.</returns>
    private async ValueTask<bool> TryBeginAsync(OwnedClaim claim, IServiceProvider services)
    {
        try
        {
            await claim.BeginTransactionAsync(services);
            return true;
        }
        catch (Exception exception) when (!IsMisuse(exception))
        {
            Log.TransactionNotBegun(logger, claim.Key, exception);
            return false;
        }
    }

    // Some providers report an unavailable database with this type too, and with their own exception inside.
    private static bool IsMisuse(Exception exception) => exception is InvalidOperationException { InnerException: null };
}
