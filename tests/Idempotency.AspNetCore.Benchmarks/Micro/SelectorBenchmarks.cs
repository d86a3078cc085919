using System.Buffers;
using System.Text.Json;
using BenchmarkDotNet.Attributes;
using Microsoft.Extensions.DependencyInjection;

namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>A key that is selected from a body with JMESPath: parsing it, evaluating the expression, and the hash of what it selects.</summary>
[MemoryDiagnoser]
public class SelectorBenchmarks
{
    private const string OfOne = "[email, amount]";
    private const string OfMany = "[?active].[id, email] | [0]";

    private ReadOnlyMemory<byte> _json;
    private Selector _selector = null!;
    private IIdempotencySelector _compiled = null!;
    private JsonDocument _parsed = null!;

    [Params("80 B", "1 KB", "32 KB")]
    public string Document { get; set; } = "";

    [GlobalSetup]
    public void Compile()
    {
        var size = Document switch { "80 B" => 80, "1 KB" => 1024, _ => 32 * 1024 };
        _json = Documents.Customers(size, isSorted: false);
        _parsed = JsonDocument.Parse(_json);
        using var services = new ServiceCollection().AddIdempotency().AddJmesPath().Services.BuildServiceProvider();
        var language = services.GetRequiredService<IIdempotencySelectorLanguage>();
        var expression = size == 80 ? OfOne : OfMany;
        _selector = new Selector(language, nameof(IdempotencyPolicy.KeySelector), expression, "The benchmark");
        _compiled = language.Compile(expression);
    }

    [Benchmark]
    public void KeyOfBody()
    {
        if (_selector.Of(_json).Hash is null)
        {
            throw new InvalidOperationException("This document was to have a key.");
        }
    }

    [Benchmark]
    public void EvaluateOnly()
    {
        if (!_compiled.TrySelect(_parsed.RootElement, new ArrayBufferWriter<byte>(256)))
        {
            throw new InvalidOperationException("Something was to be selected.");
        }
    }

    [GlobalCleanup]
    public void Dispose() => _parsed.Dispose();
}
