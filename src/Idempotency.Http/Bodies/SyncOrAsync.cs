namespace Idempotency.Http;

/// <summary>One implementation for <see cref="HttpClient.SendAsync(HttpRequestMessage)"/> and <see cref="HttpClient.Send(HttpRequestMessage)"/>: the latter blocks where the former awaits.</summary>
internal static class SyncOrAsync
{
    public static Task WaitOrAwaitAsync(this Task task, bool async)
    {
        if (!async)
        {
            task.GetAwaiter().GetResult();
        }

        return task;
    }
}
