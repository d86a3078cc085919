using Microsoft.Extensions.Logging;

namespace Idempotency.AspNetCore;

/// <summary>Every event the library logs. A key appears as the hash its record is stored under, never as the client wrote it.</summary>
internal static partial class Log
{
    [LoggerMessage(1, LogLevel.Warning, "These endpoints are protected, but open to anonymous callers, who share one partition: one caller's key can fetch another's answer. Require authorization, or set IdempotencyPolicy.Partition. {Endpoints}", EventName = "SharedPartition")]
    public static partial void SharedPartition(ILogger logger, string endpoints);

    [LoggerMessage(2, LogLevel.Debug, "{Method} {Path} is rejected: {Code}.", EventName = "Rejected")]
    public static partial void Rejected(ILogger logger, string method, string path, string code);

    [LoggerMessage(3, LogLevel.Debug, "{StoreKey} is replayed.", EventName = "Replayed")]
    public static partial void Replayed(ILogger logger, StoreKey storeKey);

    [LoggerMessage(4, LogLevel.Warning, "{StoreKey}: attempt {Attempt} takes over a claim whose owner vanished.", EventName = "TookOver")]
    public static partial void TookOver(ILogger logger, StoreKey storeKey, int attempt);

    [LoggerMessage(5, LogLevel.Error, "{StoreKey}: the store could not be asked for a claim.", EventName = "ClaimFailed")]
    public static partial void ClaimFailed(ILogger logger, StoreKey storeKey, Exception exception);

    [LoggerMessage(6, LogLevel.Error, "{StoreKey}: there is a record, but it cannot be read ({Reason}). The call is refused (over HTTP with 503) and not run.", EventName = "RecordUnreadable")]
    public static partial void RecordUnreadable(ILogger logger, StoreKey storeKey, string reason, Exception? exception);

    [LoggerMessage(7, LogLevel.Warning, "{StoreKey}: renewing the lease failed; it is tried again every twelfth of it.", EventName = "RenewalFailed")]
    public static partial void RenewalFailed(ILogger logger, StoreKey storeKey, Exception exception);

    [LoggerMessage(8, LogLevel.Warning, "{StoreKey}: the claim was lost while the handler ran; another attempt may have taken over.", EventName = "ClaimLost")]
    public static partial void ClaimLost(ILogger logger, StoreKey storeKey);

    [LoggerMessage(9, LogLevel.Warning, "{StoreKey}: releasing the claim failed; it is left to its lease unless a later try succeeds.", EventName = "ReleaseFailed")]
    public static partial void ReleaseFailed(ILogger logger, StoreKey storeKey, Exception? exception);

    [LoggerMessage(10, LogLevel.Warning, "{StoreKey}: recording the answer failed; it is tried again.", EventName = "CompletionRetried")]
    public static partial void CompletionRetried(ILogger logger, StoreKey storeKey, Exception exception);

    [LoggerMessage(11, LogLevel.Critical, "{StoreKey}: the handler or function ran, but its answer could not be recorded. The caller gets it (over HTTP marked 'Idempotency-Stored: false'); once the lease of the claim is over, a retry may run it again.", EventName = "AnswerNotRecorded")]
    public static partial void AnswerNotRecorded(ILogger logger, StoreKey storeKey, Exception? exception);

    [LoggerMessage(12, LogLevel.Warning, "{Method} {Path} runs unprotected, because the store could not be asked and the policy says so.", EventName = "RunsUnprotected")]
    public static partial void RunsUnprotected(ILogger logger, string method, string path);

    [LoggerMessage(14, LogLevel.Error, "{StoreKey}: IdempotencyPolicy.ShouldStore has thrown; the default rule decides.", EventName = "ShouldStoreFailed")]
    public static partial void ShouldStoreFailed(ILogger logger, StoreKey storeKey, Exception exception);

    [LoggerMessage(13, LogLevel.Information, "{StoreKey}: the response is too large to keep, or streamed. It is sent in full, and retries are answered 409.", EventName = "ResponseNotKept")]
    public static partial void ResponseNotKept(ILogger logger, StoreKey storeKey);

    [LoggerMessage(15, LogLevel.Error, "{StoreKey}: the run ended without an answer after its effects had begun. Repetitions are refused: the outcome is unknown.", EventName = "OutcomeUnknown")]
    public static partial void OutcomeUnknown(ILogger logger, StoreKey storeKey);

    [LoggerMessage(16, LogLevel.Debug, "'{Endpoint}' is protected by {Name}: {Policy}", EventName = "Protected")]
    public static partial void Protected(ILogger logger, string endpoint, string name, object policy);

    [LoggerMessage(17, LogLevel.Warning, "'{Endpoint}' is protected by idempotency and was sent a gRPC call, which is refused with 415: its status comes in trailers, after streams that cannot be recorded. Take the endpoint out with .DisableIdempotency(), and run the work once with IIdempotentExecutor.", EventName = "GrpcRefused")]
    public static partial void GrpcRefused(ILogger logger, string? endpoint);

    [LoggerMessage(18, LogLevel.Error, "{StoreKey}: the transaction of the handler could not be begun. Nothing is done; the call is refused (over HTTP with 503).", EventName = "TransactionNotBegun")]
    public static partial void TransactionNotBegun(ILogger logger, StoreKey storeKey, Exception exception);

    [LoggerMessage(19, LogLevel.Warning, "{StoreKey}: the database has undone the transaction of the handler in favour of another. Nothing is done.", EventName = "TransactionConflict")]
    public static partial void TransactionConflict(ILogger logger, StoreKey storeKey, Exception exception);

    [LoggerMessage(20, LogLevel.Error, "{StoreKey}: committing the handler's transaction failed. Its record tells whether it took place.", EventName = "CommitFailed")]
    public static partial void CommitFailed(ILogger logger, StoreKey storeKey, Exception exception);

    [LoggerMessage(30, LogLevel.Warning, "{StoreKey}: the result of '{Operation}' is too large to keep ({Size} bytes of JSON). The caller gets it; every other call with the key gets IdempotencyResultUnavailableException.", EventName = "ResultNotKept")]
    public static partial void ResultNotKept(ILogger logger, StoreKey storeKey, string operation, int size);

    [LoggerMessage(31, LogLevel.Error, "{StoreKey}: the result of '{Operation}' cannot be written as JSON. The caller gets it; every other call with the key gets IdempotencyResultUnavailableException.", EventName = "ResultNotSerialized")]
    public static partial void ResultNotSerialized(ILogger logger, StoreKey storeKey, string operation, Exception exception);

    [LoggerMessage(40, LogLevel.Warning, "These endpoints ask for idempotency, but take only methods that their policy does not protect: it has no effect. Remove it, or list the method in IdempotencyPolicy.Methods. {Endpoints}", EventName = "WithoutEffect")]
    public static partial void WithoutEffect(ILogger logger, string endpoints);

    [LoggerMessage(42, LogLevel.Warning, "More than one idempotency store was added, and the last one is used: {Used}. Not used: {Replaced}. Remove the calls that add the others.", EventName = "StoreReplaced")]
    public static partial void StoreReplaced(ILogger logger, string replaced, string used);

    [LoggerMessage(41, LogLevel.Debug, "The Razor page '{Endpoint}' could not be loaded, so its idempotency is not checked at start-up.", EventName = "PageNotChecked")]
    public static partial void PageNotChecked(ILogger logger, string endpoint, Exception exception);

    [LoggerMessage(50, LogLevel.Debug, "{StoreKey}: step '{Step}' was recorded by attempt {Attempt} and is not run again.", EventName = "StepRecalled")]
    public static partial void StepRecalled(ILogger logger, StoreKey storeKey, string step, int attempt);

    [LoggerMessage(51, LogLevel.Warning, "{StoreKey}: recording step '{Step}' failed. Retrying.", EventName = "StepRetried")]
    public static partial void StepRetried(ILogger logger, StoreKey storeKey, string step, Exception? exception);

    [LoggerMessage(52, LogLevel.Warning, "{StoreKey}: the result of step '{Step}' ({Size} bytes) does not fit into the record. The step is recorded without it; a later attempt that needs it gets IdempotencyResultUnavailableException.", EventName = "StepResultTooLarge")]
    public static partial void StepResultTooLarge(ILogger logger, StoreKey storeKey, string step, int size);

    [LoggerMessage(53, LogLevel.Error, "{StoreKey}: the result of step '{Step}' cannot be written as JSON. The step is recorded without it; a later attempt that needs it gets IdempotencyResultUnavailableException.", EventName = "StepResultNotSerialized")]
    public static partial void StepResultNotSerialized(ILogger logger, StoreKey storeKey, string step, Exception exception);

    [LoggerMessage(55, LogLevel.Error, "{StoreKey}: the store is unavailable, so the steps of the run could not be saved.", EventName = "StepsUnavailable")]
    public static partial void StepsUnavailable(ILogger logger, StoreKey storeKey, Exception exception);

    [LoggerMessage(54, LogLevel.Warning, "{StoreKey}: earlier attempts recorded steps that this run did not use: {Steps}. The handler may have changed since.", EventName = "StepsNotUsed")]
    public static partial void StepsNotAsked(ILogger logger, StoreKey storeKey, string steps);
}
