using System.Collections.Concurrent;
using System.Text;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Mvc.Testing;
using Microsoft.Extensions.Logging;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;

namespace Idempotency.AspNetCore.Tests;

/// <summary>Where the sample's telemetry goes.</summary>
public sealed class SampleTelemetryTests : IDisposable
{
    private const string Payment = """{"name":"Ada Lovelace","email":"ada@example.com","amount":42.50}""";
    private readonly string _file = Path.Combine(Path.GetTempPath(), $"payments-telemetry-{Guid.NewGuid():N}.db");

    public void Dispose()
    {
        Microsoft.Data.Sqlite.SqliteConnection.ClearAllPools();
        foreach (var file in Directory.GetFiles(Path.GetTempPath(), Path.GetFileName(_file) + "*"))
        {
            File.Delete(file);
        }
    }

    [Fact]
    public async Task It_exports_metrics_traces_and_logs_where_the_environment_names_a_collector()
    {
        var received = new ConcurrentDictionary<string, string>();
        await using var collector = await Api.StartAsync(
            app => app.MapPost("/v1/{signal}", async (string signal, HttpRequest request) =>
            {
                using var body = new MemoryStream();
                await request.Body.CopyToAsync(body);
                received.AddOrUpdate(signal, _ => Encoding.Latin1.GetString(body.ToArray()), (_, before) => before + Encoding.Latin1.GetString(body.ToArray()));
            }),
            kestrel: true);
        (string, string)[] settings =
        [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.Address.ToString()),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
            ("OTEL_SERVICE_NAME", "payments-under-test"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "200"),
            ("OTEL_BSP_SCHEDULE_DELAY", "200"),
            ("OTEL_BLRP_SCHEDULE_DELAY", "200"),
        ];
        await using (var sample = Start(settings))
        {
            using var client = sample.CreateClient();
            using var response = await client.SendAsync(Api.Request("/payments", json: Payment));
            Assert.True(response.IsSuccessStatusCode, await response.TextAsync());

            // Not only what is exported when the sample ends: on a busy machine the exporter stops waiting for the collector then.
            await Eventually.TrueAsync(
                () => received.GetValueOrDefault("logs")?.Contains("Application started", StringComparison.Ordinal) == true
                    && received.GetValueOrDefault("traces")?.Contains("POST /payments", StringComparison.Ordinal) == true
                    && received.GetValueOrDefault("metrics")?.Contains("http.server.request.duration", StringComparison.Ordinal) == true
                    && received["metrics"].Contains("idempotency.requests", StringComparison.Ordinal),
                "The collector has logs, traces and metrics of the payment.");
        }

        Assert.Equal(["logs", "metrics", "traces"], received.Keys.Order(StringComparer.Ordinal));
        Assert.All(received.Values, sent => Assert.Contains("payments-under-test", sent, StringComparison.Ordinal));
        Assert.Contains("idempotency.requests", received["metrics"], StringComparison.Ordinal);
        Assert.Contains("http.server.request.duration", received["metrics"], StringComparison.Ordinal);
        Assert.Contains("idempotency.claim", received["traces"], StringComparison.Ordinal);
        Assert.Contains("POST /payments", received["traces"], StringComparison.Ordinal);
        Assert.Contains("Application started", received["logs"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_one_nothing_of_OpenTelemetry_is_there()
    {
        await using var sample = Start();
        using var client = sample.CreateClient();
        Assert.Null(sample.Services.GetService<MeterProvider>());
        Assert.Null(sample.Services.GetService<TracerProvider>());
        Assert.DoesNotContain(sample.Services.GetServices<ILoggerProvider>(), provider => provider.GetType().FullName!.StartsWith("OpenTelemetry", StringComparison.Ordinal));
    }

    private WebApplicationFactory<Program> Start(params (string Name, string Value)[] settings) => new WebApplicationFactory<Program>().WithWebHostBuilder(host =>
    {
        host.UseSetting("ConnectionStrings:Sqlite", $"Data Source={_file}");
        host.UseSetting("Store", "InMemory");
        foreach (var (name, value) in settings)
        {
            host.UseSetting(name, value);
        }
    });
}
