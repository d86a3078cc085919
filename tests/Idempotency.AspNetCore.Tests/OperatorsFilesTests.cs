using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using OpenTelemetry.Metrics;

namespace Idempotency.AspNetCore.Tests;

/// <summary>The alert rules and the dashboard for operators, against what OpenTelemetry's Prometheus exporter really writes of the meter.</summary>
public sealed partial class OperatorsFilesTests : IClassFixture<OperatorsFilesTests.Export>
{
    private static readonly string Docs = Path.Combine(AppContext.BaseDirectory, "../../../../../docs");

    // What a scrape adds, and what PromQL's functions have.
    private static readonly string[] LabelsOfAll = ["job", "instance", "le"];

    private readonly Export _export;

    public OperatorsFilesTests(Export export) => _export = export;

    private static IReadOnlyDictionary<string, string> Alerts { get; } = AlertRule().Matches(File.ReadAllText(Path.Combine(Docs, "operations/prometheus-alerts.yml")))
        .ToDictionary(rule => rule.Groups["name"].Value, rule => rule.Groups["expression"].Value);

    private static JsonObject Dashboard { get; } = JsonNode.Parse(File.ReadAllText(Path.Combine(Docs, "operations/grafana-dashboard.json")))!.AsObject();

    private static IEnumerable<JsonObject> Panels => Dashboard["panels"]!.AsArray().Select(panel => panel!.AsObject());

    private static IEnumerable<string> Expressions => Alerts.Values
        .Concat(Panels.SelectMany(panel => panel["targets"]?.AsArray() ?? []).Select(target => (string)target!["expr"]!))
        .Concat(Dashboard["templating"]!["list"]!.AsArray().Where(variable => (string?)variable!["type"] == "query").Select(variable => (string)variable!["definition"]!));

    [Fact]
    public void They_use_only_metrics_labels_and_values_that_the_library_exports()
    {
        var seen = new HashSet<string>();
        Assert.All(Expressions, expression =>
        {
            var metrics = new List<string>();
            foreach (Match selector in Selector().Matches(Grouping().Replace(expression, " ")))
            {
                var metric = selector.Groups["metric"].Value;
                metrics.Add(metric);
                Assert.True(_export.Series.ContainsKey(metric), $"There is no metric '{metric}'; there are: {string.Join(", ", _export.Series.Keys)}");
                foreach (Match matcher in Matcher().Matches(selector.Groups["matchers"].Value))
                {
                    var (label, value) = (matcher.Groups["label"].Value, matcher.Groups["value"].Value);
                    if (value.StartsWith('$') || LabelsOfAll.Contains(label))
                    {
                        continue;
                    }

                    Assert.True(_export.Series[metric].TryGetValue(label, out var values), $"'{metric}' has no label '{label}'.");
                    var known = label == "idempotency_outcome" ? Vocabulary.Outcomes : values!;
                    foreach (var one in matcher.Groups["operator"].Value is "=~" or "!~" ? value.Split('|') : [value])
                    {
                        Assert.True(known.Any(real => Regex.IsMatch(real, $"^(?:{one})$")), $"'{label}' of '{metric}' is never '{one}'; it is one of: {string.Join(", ", known)}");
                    }
                }
            }

            Assert.NotEmpty(metrics);
            seen.UnionWith(metrics);
            foreach (Match grouping in Grouping().Matches(expression))
            {
                foreach (var label in grouping.Groups["labels"].Value.Split(',', StringSplitOptions.TrimEntries))
                {
                    Assert.True(LabelsOfAll.Contains(label) || metrics.Exists(metric => _export.Series[metric].ContainsKey(label)), $"None of {string.Join(", ", metrics)} has the label '{label}'.");
                }
            }

            Assert.Equal(expression.Count(character => character == '('), expression.Count(character => character == ')'));
        });
        Assert.Empty(_export.Series.Keys.Select(Family).Except(seen.Select(Family))); // no metric is without a panel or a rule
    }

    [Fact]
    public void The_meters_instruments_have_these_names_in_Prometheus() => Assert.Equal(
        [
            "idempotency_calls_total", "idempotency_claims_active", "idempotency_claims_lost_total", "idempotency_claims_takeovers_total",
            "idempotency_in_memory_store_limit_bytes", "idempotency_in_memory_store_records", "idempotency_in_memory_store_size_bytes",
            "idempotency_local_cache_entries", "idempotency_local_cache_lookups_total", "idempotency_local_cache_size_bytes", "idempotency_payload_size_bytes",
            "idempotency_renewals_failed_total", "idempotency_requests_total", "idempotency_steps_total", "idempotency_store_operation_duration_seconds",
        ],
        _export.Series.Keys.Select(Family).Distinct().Order(StringComparer.Ordinal));

    [Fact]
    public void The_operators_page_explains_each_alert()
    {
        var page = File.ReadAllText(Path.Combine(Docs, "operations.md"));
        Assert.Equal(Alerts.Keys.Order(StringComparer.Ordinal), Regex.Matches(page, @"(?m)^\| `(Idempotency\w+)` \|").Select(row => row.Groups[1].Value).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Every_rule_has_a_severity_a_summary_and_a_description()
    {
        var rules = File.ReadAllText(Path.Combine(Docs, "operations/prometheus-alerts.yml")).Split("- alert: ")[1..];
        Assert.Equal(Alerts.Count, rules.Length);
        Assert.All(rules, rule => Assert.Matches(@"(?s)expr: .*severity: (critical|warning|info)\n.*summary: "".+""\n\s+description: .+\n", rule));
    }

    [Fact]
    public void The_dashboard_can_be_imported()
    {
        Assert.Equal(Panels.Count(), Panels.Select(panel => (int)panel["id"]!).Distinct().Count());
        Assert.All(Panels.Where(panel => (string?)panel["type"] != "row"), panel =>
        {
            Assert.Equal("${datasource}", (string?)panel["datasource"]!["uid"]); // whoever imports it chooses
            Assert.NotEmpty((string)panel["description"]!);
        });
        var cells = Panels.Select(panel => panel["gridPos"]!).SelectMany(at => Enumerable.Range((int)at["y"]!, (int)at["h"]!).SelectMany(y => Enumerable.Range((int)at["x"]!, (int)at["w"]!).Select(x => (x, y)))).ToList();
        Assert.Equal(cells.Count, cells.Distinct().Count());
        Assert.All(cells, cell => Assert.InRange(cell.x, 0, 23));
        var variables = Dashboard["templating"]!["list"]!.AsArray().Select(variable => (string)variable!["name"]!).ToList();
        Assert.All(Expressions.SelectMany(expression => Variable().Matches(expression)), used => Assert.Contains(used.Groups["name"].Value, variables));
    }

    private static string Family(string series) => HistogramSuffix().Replace(series, "");

    [GeneratedRegex(@"- alert: (?<name>\w+)\s+expr: \|\n(?<expression>(?:          .*\n|\s*\n)+)")]
    private static partial Regex AlertRule();

    [GeneratedRegex(@"\b(?<metric>idempotency_\w+)(?:\{(?<matchers>[^}]*)\})?")]
    private static partial Regex Selector();

    [GeneratedRegex(@"\b(?:by|without|on|ignoring) \((?<labels>[^)]*)\)|(?<=\blabel_values\(.*), (?<labels>\w+)\)$")]
    private static partial Regex Grouping();

    [GeneratedRegex(@"(?<label>\w+)\s*(?<operator>=~|!~|!=|=)\s*""(?<value>[^""]*)""")]
    private static partial Regex Matcher();

    [GeneratedRegex(@"\$(?<name>(?!__)\w+)")]
    private static partial Regex Variable();

    [GeneratedRegex("_(bucket|sum|count)$")]
    private static partial Regex HistogramSuffix();

    /// <summary>What a Prometheus would scrape of an application: every series, and the values that its labels have.</summary>
    public sealed partial class Export : IAsyncLifetime
    {
        private readonly Dictionary<string, Dictionary<string, HashSet<string>>> _series = new(StringComparer.Ordinal);

        public IReadOnlyDictionary<string, Dictionary<string, HashSet<string>>> Series => _series;

        public async ValueTask InitializeAsync()
        {
            await using var api = await Api.StartAsync(
                app =>
                {
                    app.MapPrometheusScrapingEndpoint();
                    app.MapPost("/pay/{id}", async (string id, IIdempotentRun run) => await run.StepAsync("charge", _ => Task.FromResult(id))).WithIdempotency();
                },
                services: services =>
                {
                    services.AddOpenTelemetry().WithMetrics(metrics => metrics.AddMeter("Idempotency.AspNetCore").AddPrometheusExporter(exporter => exporter.ScrapeResponseCacheDurationMilliseconds = 0));
                    services.AddSingleton<IIdempotencyStore>(provider => provider.GetRequiredService<InMemoryIdempotencyStore>()); // not the tests' own, so that its metrics are there
                });
            (await api.SendAsync("/pay/1")).EnsureSuccessStatusCode().Dispose();
            (await api.SendAsync("/pay/1")).EnsureSuccessStatusCode().Dispose();
            (await api.SendAsync("/pay/1", json: "[]")).Dispose();
            await api.Services.GetRequiredService<IIdempotentExecutor>().ExecuteAsync("payouts", "key-1", (_, _) => Task.CompletedTask);

            // What needs a store in trouble, or a cache in front of one that is not in this process.
            var telemetry = api.Services.GetRequiredService<Telemetry>();
            telemetry.TookOver();
            telemetry.ClaimLost();
            telemetry.RenewalFailed();
            telemetry.LookedUp(isHit: true);
            telemetry.StoreCalled("complete", "error", TimeSpan.Zero, new IOException());
            foreach (var line in (await api.Client.GetStringAsync("/metrics", TestContext.Current.CancellationToken)).Split('\n').Select(line => Line().Match(line)).Where(line => line.Success))
            {
                if (!_series.TryGetValue(line.Groups["name"].Value, out var labels))
                {
                    _series[line.Groups["name"].Value] = labels = new Dictionary<string, HashSet<string>>(StringComparer.Ordinal);
                }

                foreach (Match label in Label().Matches(line.Groups["labels"].Value))
                {
                    (labels.TryGetValue(label.Groups["name"].Value, out var values) ? values : labels[label.Groups["name"].Value] = []).Add(label.Groups["value"].Value);
                }
            }
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;

        [GeneratedRegex(@"^(?<name>idempotency_\w+)(?:\{(?<labels>.*)\})? ")]
        private static partial Regex Line();

        [GeneratedRegex(@"(?<name>\w+)=""(?<value>(?:[^""\\]|\\.)*)""")]
        private static partial Regex Label();
    }
}
