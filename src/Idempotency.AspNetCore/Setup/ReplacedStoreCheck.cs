using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Idempotency.AspNetCore;

/// <summary>Logs a warning at start-up, with or without HTTP, if a store was added and then replaced by another.</summary>
/// <remarks>It is not an error, because tests replace an application's store with the in-memory store.</remarks>
internal sealed class ReplacedStoreCheck(IEnumerable<ChosenStore> chosen, ILogger<ReplacedStoreCheck> logger) : IHostedService
{
    public Task StartAsync(CancellationToken cancellationToken)
    {
        var stores = chosen.Select(store => store.Type).ToList();
        var replaced = stores.Where(type => type != stores[^1]).Distinct().ToList();
        if (replaced.Count > 0)
        {
            Log.StoreReplaced(logger, string.Join(", ", replaced.Select(NameOf)), NameOf(stores[^1]));
        }

        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private static string NameOf(Type type) => type.IsGenericType ? $"{type.Name.Split('`')[0]}<{string.Join(", ", type.GetGenericArguments().Select(NameOf))}>" : type.Name;
}
