using System.Text;

namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>An application's pipeline with the library in it, called without a server.</summary>
internal sealed class Pipeline : IDisposable
{
    private static readonly byte[] Answer = Encoding.UTF8.GetBytes("""{"id":1,"name":"Ann","ok":true}""");
    private readonly ServiceProvider _services;
    private readonly RequestDelegate _bare = AnswerAsync;
    private readonly RequestDelegate _pipeline;
    private readonly RequestDelegate _bareBones = static context => BareBones.InvokeAsync(context, AnswerAsync);
    private readonly Endpoint _open = new(AnswerAsync, EndpointMetadataCollection.Empty, "open");
    private readonly Endpoint _protected = new(AnswerAsync, new EndpointMetadataCollection(new IdempotentAttribute()), "protected");
    private readonly PipelineRequest _request = new(Encoding.UTF8.GetBytes("""{"name":"Ann","amount":12.5}"""));
    private long _number;

    public Pipeline(Action<IdempotencyOptions>? options = null)
    {
        var services = new ServiceCollection().AddLogging();
        services.AddIdempotency(options);
        _services = services.BuildServiceProvider();
        var app = new ApplicationBuilder(_services);
        app.UseIdempotency();
        app.Run(AnswerAsync);
        _pipeline = app.Build();
    }

    public IIdempotencyStore Store => _services.GetRequiredService<IIdempotencyStore>();

    /// <summary>The handler alone.</summary>
    public Task BareAsync() => RunAsync(_bare, _open, "key");

    /// <summary>Through the middleware, to an endpoint that did not opt in.</summary>
    public Task PassThroughAsync() => RunAsync(_pipeline, _open, "key");

    /// <summary>With a key that nobody had.</summary>
    public Task FirstAsync() => RunAsync(_pipeline, _protected, $"{_number++:x16}");

    /// <summary>The same through a middleware of bare bones.</summary>
    public Task FirstOfBareBonesAsync() => RunAsync(_bareBones, _open, $"{_number++:x16}");

    /// <summary>With a key that is always the same: a replay, but for the first time.</summary>
    public Task ReplayAsync() => RunAsync(_pipeline, _protected, "key");

    public bool LastWasReplay => _request.LastWasReplay;

    public void Dispose() => _services.Dispose();

    private Task RunAsync(RequestDelegate application, Endpoint endpoint, string key)
    {
        var context = _request.Next(key);
        context.SetEndpoint(endpoint);
        return application(context);
    }

    private static Task AnswerAsync(HttpContext context)
    {
        context.Response.ContentType = "application/json; charset=utf-8";
        context.Response.ContentLength = Answer.Length;
        var written = context.Response.BodyWriter.WriteAsync(Answer);
        return written.IsCompletedSuccessfully ? Task.CompletedTask : written.AsTask();
    }
}
