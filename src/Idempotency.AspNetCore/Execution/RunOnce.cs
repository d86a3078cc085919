using Microsoft.Extensions.Logging;

namespace Idempotency.AspNetCore;

/// <summary>Runs the work of a claim once and ends the claim. Both front doors go through here.</summary>
/// <remarks>
/// 1. Where the policy says so, a transaction is begun. 2. The work runs. 3. Its response is recorded, or, if it is none that is recorded, the claim is released;
/// so it is after an exception. 4. A transaction that the database undid in favour of another is tried again as often as the policy says.
/// When this returns the claim has ended, and what it ended in is what may be told.
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

    /// <returns>False: the database could not be reached, and nothing is done.</returns>
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

    // A database that is away is also reported as this by some, with its own exception inside.
    private static bool IsMisuse(Exception exception) => exception is InvalidOperationException { InnerException: null };
}
