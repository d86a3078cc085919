using Microsoft.Extensions.Logging;

namespace Idempotency.AspNetCore;

/// <summary>The events that the library logs. They contain the stored key, which is a hash, and never the idempotency key itself.</summary>
internal static partial class Log
{
    [LoggerMessage(1, LogLevel.Warning, "These endpoints are protected but allow anonymous callers, who share one partition: one caller's key can return another caller's response. Require authorization, or set IdempotencyPolicy.Partition. {Endpoints}", EventName = "SharedPartition")]
    public static partial void SharedPartition(ILogger logger, string endpoints);

    [LoggerMessage(2, LogLevel.Debug, "{Method} {Path} was rejected: {Code}.", EventName = "Rejected")]
    public static partial void Rejected(ILogger logger, string method, string path, string code);

    [LoggerMessage(3, LogLevel.Debug, "{StoreKey}: the recorded response was replayed.", EventName = "Replayed")]
    public static partial void Replayed(ILogger logger, StoreKey storeKey);

    [LoggerMessage(4, LogLevel.Warning, "{StoreKey}: attempt {Attempt} took over an abandoned claim.", EventName = "TookOver")]
    public static partial void TookOver(ILogger logger, StoreKey storeKey, int attempt);

    [LoggerMessage(5, LogLevel.Error, "{StoreKey}: the claim failed because the idempotency store is unavailable.", EventName = "ClaimFailed")]
    public static partial void ClaimFailed(ILogger logger, StoreKey storeKey, Exception exception);

    [LoggerMessage(6, LogLevel.Error, "{StoreKey}: the record cannot be read ({Reason}). The call was rejected (503 over HTTP) and was not run.", EventName = "RecordUnreadable")]
    public static partial void RecordUnreadable(ILogger logger, StoreKey storeKey, string reason, Exception? exception);

    [LoggerMessage(7, LogLevel.Warning, "{StoreKey}: renewing the lease failed. Retrying every 1/12 of the lease.", EventName = "RenewalFailed")]
    public static partial void RenewalFailed(ILogger logger, StoreKey storeKey, Exception exception);

    [LoggerMessage(8, LogLevel.Warning, "{StoreKey}: the claim was lost while the handler was running. Another attempt may have taken over.", EventName = "ClaimLost")]
    public static partial void ClaimLost(ILogger logger, StoreKey storeKey);

    [LoggerMessage(9, LogLevel.Warning, "{StoreKey}: releasing the claim failed. The claim lasts until its lease ends, unless a retry releases it.", EventName = "ReleaseFailed")]
    public static partial void ReleaseFailed(ILogger logger, StoreKey storeKey, Exception? exception);

    [LoggerMessage(10, LogLevel.Warning, "{StoreKey}: recording the response failed. Retrying.", EventName = "CompletionRetried")]
    public static partial void CompletionRetried(ILogger logger, StoreKey storeKey, Exception exception);

    [LoggerMessage(11, LogLevel.Critical, "{StoreKey}: the handler or function ran, but its response could not be recorded. The caller receives it (marked 'Idempotency-Stored: false' over HTTP). When the lease of the claim ends, a retry may run it again.", EventName = "ResponseNotRecorded")]
    public static partial void ResponseNotRecorded(ILogger logger, StoreKey storeKey, Exception? exception);

    [LoggerMessage(12, LogLevel.Warning, "{Method} {Path} runs unprotected, because the idempotency store is unavailable and the policy allows it.", EventName = "RunsUnprotected")]
    public static partial void RunsUnprotected(ILogger logger, string method, string path);

    [LoggerMessage(14, LogLevel.Error, "{StoreKey}: IdempotencyPolicy.ShouldStore threw an exception. The default rule applies.", EventName = "ShouldStoreFailed")]
    public static partial void ShouldStoreFailed(ILogger logger, StoreKey storeKey, Exception exception);

    [LoggerMessage(13, LogLevel.Information, "{StoreKey}: the response is too large to record, or was streamed. The caller receives it in full, and duplicates are rejected with 409.", EventName = "ResponseBodyNotRecorded")]
    public static partial void ResponseBodyNotRecorded(ILogger logger, StoreKey storeKey);

    [LoggerMessage(15, LogLevel.Error, "{StoreKey}: the run ended without a response after its effects had started. Its outcome is unknown, so duplicates are rejected.", EventName = "OutcomeUnknown")]
    public static partial void OutcomeUnknown(ILogger logger, StoreKey storeKey);

    [LoggerMessage(16, LogLevel.Debug, "Endpoint '{Endpoint}' is protected by {Name}: {Policy}", EventName = "Protected")]
    public static partial void Protected(ILogger logger, string endpoint, string name, object policy);

    [LoggerMessage(17, LogLevel.Warning, "Endpoint '{Endpoint}' is protected by idempotency and received a gRPC call, which was rejected with 415: gRPC responses are streams that end with trailers, and cannot be recorded. Exclude the endpoint with .DisableIdempotency(), and run the work once with IIdempotentExecutor.", EventName = "GrpcRejected")]
    public static partial void GrpcRejected(ILogger logger, string? endpoint);

    [LoggerMessage(18, LogLevel.Error, "{StoreKey}: the handler's transaction could not be started. The call was rejected (503 over HTTP) and was not run.", EventName = "TransactionNotBegun")]
    public static partial void TransactionNotBegun(ILogger logger, StoreKey storeKey, Exception exception);

    [LoggerMessage(19, LogLevel.Warning, "{StoreKey}: the database rolled back the handler's transaction because it conflicted with another. Nothing was changed.", EventName = "TransactionConflict")]
    public static partial void TransactionConflict(ILogger logger, StoreKey storeKey, Exception exception);

    [LoggerMessage(20, LogLevel.Error, "{StoreKey}: committing the handler's transaction failed. The record shows whether it was committed.", EventName = "CommitFailed")]
    public static partial void CommitFailed(ILogger logger, StoreKey storeKey, Exception exception);

    [LoggerMessage(30, LogLevel.Warning, "{StoreKey}: the result of '{Operation}' is too large to record ({Size} bytes of JSON). The caller receives it; every other call with the key gets IdempotencyResultUnavailableException.", EventName = "ResultTooLarge")]
    public static partial void ResultTooLarge(ILogger logger, StoreKey storeKey, string operation, int size);

    [LoggerMessage(31, LogLevel.Error, "{StoreKey}: the result of '{Operation}' cannot be serialized to JSON. The caller receives it; every other call with the key gets IdempotencyResultUnavailableException.", EventName = "ResultNotSerialized")]
    public static partial void ResultNotSerialized(ILogger logger, StoreKey storeKey, string operation, Exception exception);

    [LoggerMessage(40, LogLevel.Warning, "These endpoints opt in to idempotency, but accept only methods that their policy does not protect, so it has no effect. Remove it, or add the method to IdempotencyPolicy.Methods. {Endpoints}", EventName = "WithoutEffect")]
    public static partial void WithoutEffect(ILogger logger, string endpoints);

    [LoggerMessage(42, LogLevel.Warning, "More than one idempotency store was added. The last one is used: {Used}. Not used: {Replaced}. Remove the calls that add the others.", EventName = "StoreReplaced")]
    public static partial void StoreReplaced(ILogger logger, string replaced, string used);

    [LoggerMessage(41, LogLevel.Debug, "The Razor page '{Endpoint}' could not be loaded, so its idempotency was not checked at start-up.", EventName = "PageNotChecked")]
    public static partial void PageNotChecked(ILogger logger, string endpoint, Exception exception);

    [LoggerMessage(50, LogLevel.Debug, "{StoreKey}: step '{Step}' was recorded by attempt {Attempt} and was not run again.", EventName = "StepRecalled")]
    public static partial void StepRecalled(ILogger logger, StoreKey storeKey, string step, int attempt);

    [LoggerMessage(51, LogLevel.Warning, "{StoreKey}: recording step '{Step}' failed. Retrying.", EventName = "StepRetried")]
    public static partial void StepRetried(ILogger logger, StoreKey storeKey, string step, Exception? exception);

    [LoggerMessage(52, LogLevel.Warning, "{StoreKey}: the result of step '{Step}' ({Size} bytes) does not fit in the record. The step was recorded without it; a later attempt that needs it gets IdempotencyResultUnavailableException.", EventName = "StepResultTooLarge")]
    public static partial void StepResultTooLarge(ILogger logger, StoreKey storeKey, string step, int size);

    [LoggerMessage(53, LogLevel.Error, "{StoreKey}: the result of step '{Step}' cannot be serialized to JSON. The step was recorded without it; a later attempt that needs it gets IdempotencyResultUnavailableException.", EventName = "StepResultNotSerialized")]
    public static partial void StepResultNotSerialized(ILogger logger, StoreKey storeKey, string step, Exception exception);

    [LoggerMessage(55, LogLevel.Error, "{StoreKey}: the steps of the run could not be saved because the idempotency store is unavailable.", EventName = "StepsUnavailable")]
    public static partial void StepsUnavailable(ILogger logger, StoreKey storeKey, Exception exception);

    [LoggerMessage(54, LogLevel.Warning, "{StoreKey}: earlier attempts recorded steps that this run did not use: {Steps}. The handler may have changed since.", EventName = "StepsNotUsed")]
    public static partial void StepsNotUsed(ILogger logger, StoreKey storeKey, string steps);
}
