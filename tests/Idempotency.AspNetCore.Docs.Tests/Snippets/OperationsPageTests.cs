using System.Diagnostics;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;

namespace Idempotency.AspNetCore.Docs.Tests;

/// <summary>The code of docs/operations.md, run.</summary>
public sealed class OperationsPageTests
{
    [Fact]
    public async Task Metrics_and_spans_are_collected()
    {
        var (metrics, spans) = (new SeenMetrics(), new SeenSpans());
        using var reader = new BaseExportingMetricReader(metrics);
        using var processor = new OpenTelemetry.SimpleActivityExportProcessor(spans);
        var builder = Applications.NewBuilder();
        builder.Services.AddIdempotency();
        #region docs: opentelemetry
        builder.Services.AddOpenTelemetry()
            .WithMetrics(metrics => metrics.AddMeter("Idempotency.AspNetCore"))
            .WithTracing(tracing => tracing.AddSource("Idempotency.AspNetCore"));
        #endregion
        builder.Services.AddOpenTelemetry().WithMetrics(all => all.AddReader(reader)).WithTracing(all => all.AddProcessor(processor));
        await using var app = builder.Build();
        app.UseIdempotency();
        app.MapPost("/", () => "paid").WithIdempotency();
        using var client = await app.StartedAsync();
        using var first = await client.PostAsync("/", "k", "{}");
        app.Services.GetRequiredService<MeterProvider>().ForceFlush();
        Assert.Contains("idempotency.requests", metrics.Names);
        Assert.Contains("idempotency.claim", spans.Names);
    }

    private sealed class SeenMetrics : OpenTelemetry.BaseExporter<Metric>
    {
        public HashSet<string> Names { get; } = [];

        public override OpenTelemetry.ExportResult Export(in OpenTelemetry.Batch<Metric> batch)
        {
            foreach (var metric in batch)
            {
                Names.Add(metric.Name);
            }

            return OpenTelemetry.ExportResult.Success;
        }
    }

    private sealed class SeenSpans : OpenTelemetry.BaseExporter<Activity>
    {
        public HashSet<string> Names { get; } = [];

        public override OpenTelemetry.ExportResult Export(in OpenTelemetry.Batch<Activity> batch)
        {
            foreach (var span in batch)
            {
                Names.Add(span.OperationName);
            }

            return OpenTelemetry.ExportResult.Success;
        }
    }
}
