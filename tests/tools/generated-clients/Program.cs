// What clients that are generated from the sample's document read of its rejections: the code, the advice, and the application's own validation errors where they share a status.
using Generated.Kiota;
using Generated.NSwag;
using Microsoft.Kiota.Abstractions.Authentication;
using Microsoft.Kiota.Http.HttpClientLibrary;
using Kiota = Generated.Kiota.Models;

var address = new Uri(args[0]);
var failures = 0;

// No handler of Kiota's: its own retries would wait out what is to be seen here.
using var http = new HttpClient { BaseAddress = address };
var nswag = new PaymentsClient(http) { BaseUrl = address.ToString() };
var kiota = new PaymentsApi(new HttpClientRequestAdapter(new AnonymousAuthenticationProvider(), httpClient: http) { BaseUrl = address.ToString().TrimEnd('/') });

await CheckAsync("NSwag", PayWithNSwagAsync);
await CheckAsync("Kiota", PayWithKiotaAsync);
return failures;

async Task CheckAsync(string generator, Func<string, string, int?, Task<Answer>> payAsync)
{
    var key = Guid.NewGuid().ToString();
    Expect(generator, "first", await payAsync(key, "Ada", null), new Answer(201));
    Expect(generator, "retry", await payAsync(key, "Ada", null), new Answer(201));
    Expect(generator, "another request", await payAsync(key, "Bob", null), new Answer(422, "idempotency-key-reused", "new-key"));
    Expect(generator, "a malformed key", await payAsync(new string('x', 256), "Ada", null), new Answer(400, "idempotency-key-invalid", "new-key"));
    Expect(generator, "the application's own 400", await payAsync(Guid.NewGuid().ToString(), "", null), new Answer(400, Errors: "Name"));
    var slow = Guid.NewGuid().ToString();
    var both = await Task.WhenAll(payAsync(slow, "Ada", 5000), payAsync(slow, "Ada", 5000));
    Expect(generator, "two at once", both.MaxBy(answer => answer.Status)!, new Answer(409, "idempotency-request-in-progress", "same-key"));
}

void Expect(string generator, string what, Answer answer, Answer expected)
{
    var isSo = answer == expected;
    failures += isSo ? 0 : 1;
    Console.WriteLine($"{(isSo ? "ok  " : "FAIL")} {generator}, {what}: {answer}{(isSo ? "" : $" instead of {expected}")}");
}

async Task<Answer> PayWithNSwagAsync(string key, string name, int? delay)
{
    try
    {
        await nswag.PaymentsPOSTAsync(delay, key, new PaymentRequest { Name = name, Email = "ada@example.com", Amount = 42.5 });
        return new Answer(201);
    }
    catch (ApiException<IdempotencyProblem> rejected)
    {
        return new Answer(rejected.StatusCode, rejected.Result.Code, rejected.Result.Retry);
    }
    catch (ApiException<IdempotencyProblemOrHttpValidationProblemDetails> rejected)
    {
        return new Answer(rejected.StatusCode, rejected.Result.Code, rejected.Result.Retry, rejected.Result.Errors is { } errors ? string.Join(",", errors.Keys) : null);
    }
}

async Task<Answer> PayWithKiotaAsync(string key, string name, int? delay)
{
    try
    {
        await kiota.Payments.PostAsync(new Kiota.PaymentRequest { Name = name, Email = "ada@example.com", Amount = 42.5 }, request =>
        {
            request.Headers.Add("Idempotency-Key", key);
            request.QueryParameters.Delay = delay;
        });
        return new Answer(201);
    }
    catch (Kiota.IdempotencyProblem rejected)
    {
        return new Answer(rejected.ResponseStatusCode, rejected.Code, rejected.Retry);
    }
    catch (Kiota.IdempotencyProblemOrHttpValidationProblemDetails rejected)
    {
        return new Answer(rejected.ResponseStatusCode, rejected.Code, rejected.Retry, rejected.Errors is { } errors ? string.Join(",", errors.AdditionalData.Keys) : null);
    }
}

internal sealed record Answer(int Status, string Code = null, string Retry = null, string Errors = null);
