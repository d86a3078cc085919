using System.Globalization;
using Idempotency.Http;

namespace Idempotency.AspNetCore.Docs.Tests;

/// <summary>Tables of problems and exceptions are complete, and say what the code says.</summary>
public sealed class ReferenceTests
{
    [Fact]
    public void The_HTTP_reference_has_every_problem_with_its_status_and_its_advice()
    {
        var rows = Repository.Read("docs/http.md").Split('\n').SkipWhile(line => !line.StartsWith("| case | status |", StringComparison.Ordinal)).Skip(2).TakeWhile(line => line.StartsWith('|')).Select(Markdown.Cells).ToList();
        var problems = IdempotencyProblem.All.GroupBy(problem => problem.Code).ToList();
        Assert.Equal(problems.Select(problem => problem.Key).Order(StringComparer.Ordinal), rows.Select(cells => cells[2].Trim('`')).Order(StringComparer.Ordinal));
        Assert.All(problems, problem =>
        {
            var cells = rows.Single(cells => cells[2].Trim('`') == problem.Key);
            Assert.All(problem, each => Assert.Equal((each.Status.ToString(CultureInfo.InvariantCulture), each.Retry), (cells[1], cells[3].Trim('`'))));
            Assert.Equal(problem.Max(each => each.RetryAfterSeconds)?.ToString(CultureInfo.InvariantCulture) ?? "", cells[4].Split(' ')[0]);
        });
    }

    [Fact]
    public void Troubleshooting_has_a_section_for_every_problem()
    {
        var headings = Markdown.Sections(Repository.Read("docs/troubleshooting.md")).Select(section => section.Heading).ToList();
        Assert.All(IdempotencyProblem.All, problem => Assert.Contains(problem.Code, headings));
    }

    [Fact]
    public void The_clients_page_says_what_to_do_about_every_final_problem_and_every_retry()
    {
        var page = Repository.Read("docs/client.md");
        foreach (var code in new[]
        {
            IdempotencyProblemCodes.KeyMissing, IdempotencyProblemCodes.KeyInvalid, IdempotencyProblemCodes.KeyReused, IdempotencyProblemCodes.RequestInProgress,
            IdempotencyProblemCodes.OutcomeUnknown, IdempotencyProblemCodes.ResponseUnavailable, IdempotencyProblemCodes.StoreUnavailable, IdempotencyProblemCodes.TransactionConflict,
        })
        {
            Assert.Contains($"`{code}`", page, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void The_page_of_functions_has_every_exception()
    {
        var page = Repository.Read("docs/functions.md");
        var exceptions = typeof(IdempotencyException).Assembly.GetExportedTypes().Where(type => type.IsSubclassOf(typeof(IdempotencyException))).ToList();
        Assert.NotEmpty(exceptions);
        Assert.All(exceptions, exception => Assert.Contains($"| `{exception.Name}` |", page, StringComparison.Ordinal));
    }
}
