using System.Net;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Mvc;

namespace Idempotency.AspNetCore.Tests;

/// <summary>Forms with antiforgery tokens, with the check before the middleware and behind it.</summary>
public sealed class AntiforgeryTests
{
    public enum Check
    {
        Before,
        Behind,
        ByHandler,
        ByFilter,
    }

    public static TheoryData<Check, bool> Checks()
    {
        var data = new TheoryData<Check, bool>();
        foreach (var check in Enum.GetValues<Check>())
        {
            data.Add(check, true);
            data.Add(check, false);
        }

        return data;
    }

    private int _runs;

    [Theory]
    [MemberData(nameof(Checks))]
    public async Task A_bad_or_missing_token_is_400_and_frees_the_key(Check check, bool isMultipart)
    {
        await using var api = await StartAsync(check);
        var (cookie, token) = await TokensAsync(api);
        foreach (var bad in new[] { null, "bad" })
        {
            using var refused = await SendAsync(api, cookie, bad, isMultipart);
            Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
            Assert.False(refused.IsReplay());
        }

        Assert.Equal(0, _runs);
        using var first = await SendAsync(api, cookie, token, isMultipart);
        Assert.Equal("paid 5, run 1", await first.TextAsync());
        using var replay = await SendAsync(api, cookie, token, isMultipart);
        Assert.True(replay.IsReplay());
    }

    [Theory]
    [MemberData(nameof(Checks))]
    public async Task A_page_rendered_anew_sends_the_same_form_with_another_token(Check check, bool isMultipart)
    {
        await using var api = await StartAsync(check);
        var (cookie, token) = await TokensAsync(api);
        var (_, anew) = await TokensAsync(api, cookie);
        Assert.NotEqual(token, anew);
        using var first = await SendAsync(api, cookie, token, isMultipart);
        using var replay = await SendAsync(api, cookie, anew, isMultipart);
        using var other = await SendAsync(api, cookie, anew, isMultipart, amount: "6");
        Assert.Equal("paid 5, run 1", await first.TextAsync());
        Assert.True(replay.IsReplay());
        Assert.Equal("paid 5, run 1", await replay.TextAsync());
        await other.AssertProblemAsync(422, "idempotency-key-reused", "new-key");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_body_that_is_its_own_key_is_the_same_with_another_token(bool isMultipart)
    {
        await using var api = await StartAsync(Check.Behind, new IdempotencyPolicy { KeySource = IdempotencyKeySource.Body });
        var (cookie, token) = await TokensAsync(api);
        var (_, anew) = await TokensAsync(api, cookie);
        using var first = await SendAsync(api, cookie, token, isMultipart);
        using var replay = await SendAsync(api, cookie, anew, isMultipart);
        using var other = await SendAsync(api, cookie, anew, isMultipart, amount: "6");
        Assert.True(replay.IsReplay());
        Assert.Equal("paid 6, run 2", await other.TextAsync());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_token_in_the_header_leaves_the_form_as_it_is(bool isMultipart)
    {
        await using var api = await StartAsync(Check.Before);
        var (cookie, token) = await TokensAsync(api);
        var (_, anew) = await TokensAsync(api, cookie);
        using var first = await SendAsync(api, cookie, token, isMultipart, inHeader: true);
        using var replay = await SendAsync(api, cookie, anew, isMultipart, inHeader: true);
        using var other = await SendAsync(api, cookie, anew, isMultipart, amount: "6", inHeader: true);
        Assert.Equal("paid 5, run 1", await first.TextAsync());
        Assert.True(replay.IsReplay());
        Assert.Equal(HttpStatusCode.UnprocessableEntity, other.StatusCode);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_recorded_answer_is_not_given_to_a_form_that_the_check_before_refused(bool isSameForm)
    {
        await using var api = await StartAsync(Check.Before);
        var (cookie, token) = await TokensAsync(api);
        using var first = await SendAsync(api, cookie, token, isMultipart: false);
        using var forged = await SendAsync(api, cookie, "bad", isMultipart: false, amount: isSameForm ? "5" : "6");
        Assert.Equal(HttpStatusCode.BadRequest, forged.StatusCode);
        Assert.Empty(await forged.TextAsync());
        Assert.Equal(1, _runs);
    }

    [Fact]
    public async Task A_caller_who_proves_itself_otherwise_is_served_once_without_a_token()
    {
        await using var api = await StartAsync(Check.ByHandler);
        using var first = await SendAsync(api, null, null, isMultipart: false, with: request => request.Headers.Add("X-Api-Key", "mine"));
        using var replay = await SendAsync(api, null, null, isMultipart: false, with: request => request.Headers.Add("X-Api-Key", "mine"));
        Assert.Equal("paid 5, run 1", await first.TextAsync());
        Assert.True(replay.IsReplay());
    }

    [Theory]
    [InlineData("__RequestVerificationToken=a&amount=5", "amount=5&__RequestVerificationToken=b", true)]
    [InlineData("amount=5&__RequestVerificationToken=a&note=x", "amount=5&__RequestVerificationToken=b&note=x", true)]
    [InlineData("amount=5&%5F%5frequestverificationtoken=a", "amount=5", true)]
    [InlineData("amount=5&__RequestVerificationToken", "amount=5", true)]
    [InlineData("amount=5&__RequestVerificationToken=a", "amount=6&__RequestVerificationToken=a", false)]
    [InlineData("amount=5&__RequestVerificationToken2=a", "amount=5&__RequestVerificationToken2=b", false)]
    [InlineData("a=__RequestVerificationToken&b=1", "a=__RequestVerificationToken&b=2", false)]
    [InlineData("a=1&b=2", "b=2&a=1", false)]
    public async Task Of_an_encoded_form_only_the_token_is_left_out(string first, string second, bool isSame) =>
        await AssertSameAsync("application/x-www-form-urlencoded", first, "application/x-www-form-urlencoded", second, isSame);

    [Theory]
    [InlineData("--a\n{amount}\n5\n--a\n{token}\n1\n--a--\n", "--b\n{amount}\n5\n--b\n{token}\n2\n--b--\n", true)]
    [InlineData("--a\n{token}\n1\n--a\n{amount}\n5\n--a--", "preamble\n--b\n{amount}\n5\n--b--\nepilogue", true)]
    [InlineData("--a\n{amount}\n5\n--a--\n", "--b  \n{amount}\n5\n--b--\n", true)]
    [InlineData("--a\n{amount}\n5\n--a--\n", "--b\n{amount}\n6\n--b--\n", false)]
    [InlineData("--a\n{amount}\n5\n--a\n{note}\n\n--a--\n", "--b\n{amount}\n5\n--b--\n", false)]
    [InlineData("--a\n{amount}\n5\n{token}\n1\n--a--\n", "--b\n{amount}\n5\n{token}\n2\n--b--\n", false)]
    [InlineData("--a\n{tokenfile}\n1\n--a--\n", "--b\n{tokenfile}\n2\n--b--\n", false)]
    [InlineData("--a\n{amount}\n5", "--b\n{amount}\n5", false)]
    [InlineData("nothing of a form", "nothing of a form", false)]
    public async Task Of_a_multipart_form_the_token_and_the_boundary_are_left_out(string first, string second, bool isSame)
    {
        await AssertSameAsync("multipart/form-data; boundary=a", Written(first), "multipart/form-data; boundary=\"b\"", Written(second), isSame);

        static string Written(string form) => form
            .Replace("{amount}", "Content-Disposition: form-data; name=amount\n", StringComparison.Ordinal)
            .Replace("{note}", "Content-Disposition: form-data; name=\"note\"\n", StringComparison.Ordinal)
            .Replace("{token}", "Content-Type: text/plain\ncontent-disposition: form-data; name=\"__RequestVerificationToken\"\n", StringComparison.Ordinal)
            .Replace("{tokenfile}", "Content-Disposition: form-data; name=\"__RequestVerificationToken\"; filename=\"a.txt\"\n", StringComparison.Ordinal)
            .Replace("\n", "\r\n", StringComparison.Ordinal);
    }

    private static async Task AssertSameAsync(string firstType, string first, string secondType, string second, bool isSame)
    {
        await using var api = await Api.StartAsync(app => app.MapPost("/", () => "x").WithIdempotency(), services: services => services.AddAntiforgery());
        using var answer = await PostAsync(firstType, first);
        using var retry = await PostAsync(secondType, second);
        Assert.Equal("x", await answer.TextAsync());
        Assert.Equal(isSame ? 200 : 422, (int)retry.StatusCode);

        Task<HttpResponseMessage> PostAsync(string type, string body) => api.SendAsync(json: null, with: request =>
        {
            request.Content = new ByteArrayContent(Encoding.UTF8.GetBytes(body));
            Assert.True(request.Content.Headers.TryAddWithoutValidation("Content-Type", type));
        });
    }

    private Task<Api> StartAsync(Check check, IdempotencyPolicy? policy = null) => Api.StartAsync(
        app =>
        {
            if (check == Check.Behind)
            {
                app.UseAntiforgery();
            }

            app.MapGet("/tokens", (HttpContext context, IAntiforgery antiforgery) => antiforgery.GetAndStoreTokens(context).RequestToken);
            switch (check)
            {
                case Check.ByHandler:
                    app.MapPost("/pay", async (HttpContext context, IAntiforgery antiforgery) =>
                        await antiforgery.IsRequestValidAsync(context) || context.Request.Headers.ContainsKey("X-Api-Key")
                            ? Results.Text(Paid(context.Request.Form["amount"]!))
                            : Results.BadRequest()).WithIdempotency(policy ?? new());
                    break;

                case Check.ByFilter:
                    app.MapControllers().WithIdempotency(policy ?? new());
                    break;

                default:
                    app.MapPost("/pay", ([FromForm] string amount) => Paid(amount)).WithIdempotency(policy ?? new());
                    break;
            }
        },
        services: services =>
        {
            services.AddAntiforgery();
            services.AddSingleton(this);
            if (check == Check.ByFilter)
            {
                services.AddControllersWithViews().ConfigureApplicationPartManager(parts => parts.FeatureProviders.Clear()).ConfigureApplicationPartManager(parts => parts.FeatureProviders.Add(new OnlyController<FormController>()));
            }
        },
        outer: app =>
        {
            app.UseRouting();
            if (check == Check.Before)
            {
                app.UseAntiforgery();
            }
        });

    public string Paid(string amount) => $"paid {amount}, run {++_runs}";

    private static async Task<(string Cookie, string Token)> TokensAsync(Api api, string? cookie = null)
    {
        using var response = await api.SendAsync("/tokens", key: null, json: null, method: HttpMethod.Get, with: request => Cookie(request, cookie));
        return (cookie ?? response.Headers.GetValues("Set-Cookie").Single().Split(';')[0], await response.TextAsync());
    }

    private static Task<HttpResponseMessage> SendAsync(Api api, string? cookie, string? token, bool isMultipart, string amount = "5", bool inHeader = false, Action<HttpRequestMessage>? with = null) =>
        api.SendAsync("/pay", json: null, with: request =>
        {
            Cookie(request, cookie);
            with?.Invoke(request);
            var fields = new List<KeyValuePair<string, string>> { new("amount", amount) };
            if (token is not null && inHeader)
            {
                request.Headers.Add("RequestVerificationToken", token);
            }
            else if (token is not null)
            {
                fields.Insert(0, new("__RequestVerificationToken", token));
            }

            if (isMultipart)
            {
                var form = new MultipartFormDataContent(); // with a boundary of its own, as each sending of a browser has
                fields.ForEach(field => form.Add(new StringContent(field.Value), field.Key));
                request.Content = form;
            }
            else
            {
                request.Content = new FormUrlEncodedContent(fields);
            }
        });

    private static void Cookie(HttpRequestMessage request, string? cookie)
    {
        if (cookie is not null)
        {
            request.Headers.Add("Cookie", cookie);
        }
    }
}

public sealed class FormController(AntiforgeryTests test) : Controller
{
    [HttpPost("/pay")]
    [ValidateAntiForgeryToken]
    public IActionResult Pay(string amount) => Content(test.Paid(amount));
}
