using System.Text;

namespace Idempotency.AspNetCore.Tests;

/// <summary>An application whose keys, or what of a retry must be equal, are selected with JMESPath.</summary>
internal static class Selecting
{
    /// <summary>Starts one with an endpoint for every method and path. It answers which run it is, its key, and the body that it read.</summary>
    public static Task<Api> StartAsync(IdempotencyPolicy policy, Action<WebApplication>? outer = null, bool kestrel = false, Action<IdempotencyOptions>? options = null)
    {
        var runs = 0;
        return Api.StartAsync(
            app => app.Map("/{**path}", async (HttpContext context) =>
            {
                var run = Interlocked.Increment(ref runs);
                using var reader = new StreamReader(context.Request.Body, new UTF8Encoding(), detectEncodingFromByteOrderMarks: false);
                return Results.Text($"{run} {context.Features.Get<IIdempotencyFeature>()?.Key} {await reader.ReadToEndAsync()}");
            }).WithIdempotency(policy),
            options,
            services => services.AddIdempotency().AddJmesPath(),
            outer,
            kestrel);
    }

    /// <summary>The key of a selection, from its canonical JSON.</summary>
    public static string KeyOf(string selected) => Sha256Hash.Of(Encoding.UTF8.GetBytes(selected)).ToString();

    /// <summary>The key that the handler was told.</summary>
    public static async Task<string> KeyAsync(this HttpResponseMessage response)
    {
        var text = await response.TextAsync();
        Assert.True((int)response.StatusCode == 200, text);
        return text.Split(' ')[1];
    }

    /// <summary>Sends a body without a key in the header.</summary>
    public static Task<HttpResponseMessage> PostAsync(this Api api, string? json, string path = "/", string? user = null, Action<HttpRequestMessage>? with = null) =>
        api.SendAsync(path, key: null, json, user, with: with);

    /// <summary>Sends bytes of a type without a key in the header.</summary>
    public static Task<HttpResponseMessage> PostAsync(this Api api, byte[] body, string type) =>
        api.SendAsync(key: null, json: null, with: request =>
        {
            request.Content = new ByteArrayContent(body);
            Assert.True(request.Content.Headers.TryAddWithoutValidation("Content-Type", type));
        });
}
