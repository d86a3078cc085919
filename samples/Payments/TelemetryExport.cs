using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace Payments;

/// <summary>Where metrics, traces and logs go: to the OpenTelemetry collector that the environment names, or nowhere.</summary>
internal static class TelemetryExport
{
    private const string Endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT";
    private const string Idempotency = "Idempotency.AspNetCore"; // the name of the library's meter and of its activity source

    /// <summary>Exports over OTLP where <c>OTEL_EXPORTER_OTLP_ENDPOINT</c> is set (<c>http://localhost:4317</c>). The exporter reads the other variables of OpenTelemetry too, such as <c>OTEL_SERVICE_NAME</c> and <c>OTEL_EXPORTER_OTLP_PROTOCOL</c>.</summary>
    public static void AddTelemetryExport(this WebApplicationBuilder builder)
    {
        if (string.IsNullOrWhiteSpace(builder.Configuration[Endpoint]))
        {
            return;
        }

        builder.Services.AddOpenTelemetry()
            .ConfigureResource(resource => resource.AddService("payments").AddEnvironmentVariableDetector()) // the last counts
            .WithMetrics(metrics => metrics.AddMeter(Idempotency).AddAspNetCoreInstrumentation())
            .WithTracing(tracing => tracing.AddSource(Idempotency).AddAspNetCoreInstrumentation())
            .WithLogging()
            .UseOtlpExporter();
    }
}
