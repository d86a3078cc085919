namespace Idempotency.AspNetCore;

/// <summary>What an operator asks: did this request run, and may its key be forgotten?</summary>
/// <param name="State">What the record says, in one word.</param>
/// <param name="Ran">Whether the request ran.</param>
/// <param name="MayForget"><c>no</c>, <c>careful</c>, or <c>nothing</c> where there is nothing to forget.</param>
/// <param name="Forget">Whether its key may be forgotten.</param>
/// <param name="Confirm">What forgetting it means, to be confirmed.</param>
internal sealed record Verdict(string State, string Ran, string MayForget, string Forget, string Confirm)
{
    private const string No = "no";
    private const string Careful = "careful";
    private const string UndoesNothing = "Nothing that was done is undone.";

    public static Verdict None { get; } = new(
        "none",
        "There is no record. No request with this key has arrived, or it failed and its key was released, or its record has expired or was forgotten. Check the method, the path and the caller too: they are part of the key.",
        "nothing",
        "There is nothing to forget: a request with this key runs.",
        "");

    /// <summary>Of a record that is gone, while something that happened to it is still to be looked at.</summary>
    public static Verdict Gone { get; } = None with
    {
        MayForget = Careful,
        Forget = "Yes, once you have checked the operation by hand. There is no record any more: forgetting it takes it off the list.",
        Confirm = "It leaves the list of what needs a person. There is no record any more, so a request with this key runs in any case.",
    };

    public static Verdict Unreadable(string reason) => new(
        "unreadable",
        $"Not known from here. The key was used, but its record cannot be read ({reason}). {Runbook.Unreadable}",
        Careful,
        "Only after you have found out by other means whether the request took effect.",
        $"The next request with this key runs the handler, even if an earlier one took effect. {UndoesNothing}");

    /// <summary>Of a record that was read.</summary>
    public static Verdict Of(IdempotencyRecordView record, NextAttempt next) => record switch
    {
        { Status: IdempotencyRecordStatus.Completed } => new(
            "completed",
            record switch
            {
                { ResponseStatus: null } => "Yes. The function ran, and its result is recorded. Later calls get that result.",
                { ResponseBodySize: null } => $"Yes. The handler ran and returned {record.ResponseStatus}, but its response was too large to record, or was streamed. Retries are rejected with 409.",
                _ => $"Yes. The handler ran, and its response ({record.ResponseStatus}) is recorded. Retries get that response.",
            },
            No,
            "No, unless the operation must happen once more.",
            $"The next request with this key runs the handler once more. {UndoesNothing} Another server that has replayed the response may go on replaying it from its local cache until it expires there."),
        { IsAbandoned: false } => new(
            "in-progress",
            $"It is running now, in attempt {record.Attempt}.",
            No,
            "No. Wait until the handler has ended, or until the lease is over.",
            $"The handler is still running. The next request with this key runs beside it, and the response of the one that runs now may not be recorded. {UndoesNothing}"),
        _ => Abandoned(record, next),
    };

    private static Verdict Abandoned(IdempotencyRecordView record, NextAttempt next)
    {
        var started = $"Attempt {record.Attempt} started and ended without a response.";
        return next switch
        {
            NextAttempt.Resumes => new(
                "abandoned",
                $"In part. {started} Its recorded steps are done. {Runbook.Resumes}",
                No,
                "No. Without the record, the recorded steps would run again.",
                $"The recorded steps are lost: the next request with this key runs them again. {UndoesNothing}"),
            NextAttempt.Rejected => new(
                "outcome-unknown",
                $"Unknown. {started} It may or may not have taken effect. {Runbook.OutcomeUnknown}",
                Careful,
                "Only after you have found that the effect did not happen, or have undone it.",
                $"The next request with this key runs the handler, even if the first attempt took effect. {UndoesNothing}"),
            NextAttempt.RunsAgain => new(
                "abandoned",
                $"Perhaps. {started} It may or may not have taken effect. {Runbook.RunsAgain}",
                No,
                "It is not needed: a retry runs as it is.",
                $"The next request with this key runs as a first attempt: the handler does not learn that another one came before it. {UndoesNothing}"),
            _ => new(
                "abandoned",
                $"Perhaps. {started} It may or may not have taken effect. {Runbook.ByPolicy}",
                Careful,
                "Only after you have found that the effect did not happen, or have undone it.",
                $"The next request with this key runs the handler, even if the first attempt took effect. {UndoesNothing}"),
        };
    }
}
