using Microsoft.Extensions.Logging;

namespace Idempotency.AspNetCore;

/// <summary>The log events of the Redis store. Ids from 201.</summary>
internal static partial class Log
{
    public const string GarnetRejection = "The server is Garnet, which interleaves Lua scripts unless it runs them as transactions, so two requests could take over the same abandoned claim. Start Garnet with lua-transaction-mode and set RedisIdempotencyStoreOptions.GarnetRunsScriptsAsTransactions, or use Redis or Valkey.";

    [LoggerMessage(201, LogLevel.Warning, "The Redis server {Server} can lose records, and a request whose record is lost runs again: {Findings} See 'What each topology guarantees' in the README of Idempotency.AspNetCore.Redis.", EventName = "RedisCanLoseRecords")]
    public static partial void CanLoseRecords(ILogger logger, string? server, string findings);

    [LoggerMessage(202, LogLevel.Critical, GarnetRejection, EventName = "GarnetRejected")]
    public static partial void GarnetRejected(ILogger logger);
}
