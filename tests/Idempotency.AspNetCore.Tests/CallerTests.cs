using System.Security.Claims;

namespace Idempotency.AspNetCore.Tests;

/// <summary>Whose request it is: users and client applications, kept apart by who issued them.</summary>
public sealed class CallerTests
{
    private static StoreKey KeyOf(string? issuer, params (string Type, string Value)[] claims) => KeyOf(new ClaimsIdentity(claims.Select(claim => new Claim(claim.Type, claim.Value, null, issuer)), "Bearer"));

    private static StoreKey KeyOf(ClaimsIdentity identity) =>
        RequestIdentity.StoreKeyOf(new DefaultHttpContext { User = new ClaimsPrincipal(identity) }, new(), "key", KeyOrigin.Header);

    [Theory]
    [InlineData("client_id")]
    [InlineData("azp")]
    [InlineData("appid")]
    public async Task A_client_without_a_user_has_a_partition_of_its_own(string type)
    {
        var runs = 0;
        await using var api = await Api.StartAsync(
            app => app.MapPost("/", () => ++runs).WithIdempotency(),
            outer: app => app.Use((context, next) =>
            {
                var parts = context.Request.Headers["X-Client"].ToString().Split('@');
                context.User = new ClaimsPrincipal(new ClaimsIdentity([new Claim(type, parts[0], null, parts[1]), new Claim("scope", "pay", null, parts[1])], "Bearer"));
                return next(context);
            }));
        Task<HttpResponseMessage> SendAsync(string client, string json = "{}") => api.SendAsync(json: json, with: request => request.Headers.Add("X-Client", client));

        using var first = await SendAsync("shop@https://issuer.example");
        using var retry = await SendAsync("shop@https://issuer.example");
        using var otherClient = await SendAsync("kiosk@https://issuer.example", """{"other":1}""");
        using var otherIssuer = await SendAsync("shop@https://other.example", """{"other":1}""");
        Assert.Equal("1", await first.TextAsync());
        Assert.True(retry.IsReplay());
        Assert.Equal("2", await otherClient.TextAsync());
        Assert.Equal("3", await otherIssuer.TextAsync());
    }

    [Fact]
    public void A_client_is_never_a_user_of_the_same_name()
    {
        StoreKey[] keys =
        [
            KeyOf("i", ("sub", "x")),
            KeyOf("i", ("client_id", "x")),
            KeyOf("j", ("client_id", "x")),
            KeyOf(null, ("client_id", "x")),
            RequestIdentity.StoreKeyOf(new DefaultHttpContext(), new() { Partition = _ => "x" }, "key", KeyOrigin.Header),
            RequestIdentity.StoreKeyOf(new DefaultHttpContext(), new(), "key", KeyOrigin.Header),
        ];
        Assert.Equal(keys.Length, keys.Distinct().Count());
        Assert.Equal(KeyOf("i", ("client_id", "x")), KeyOf(new ClaimsIdentity([new Claim("client_id", "x", null, "i")], "Bearer", nameType: "client_id", roleType: null)));
    }

    [Fact]
    public void A_user_is_a_user_whichever_client_sends_the_request()
    {
        Assert.Equal(KeyOf("i", ("sub", "ann")), KeyOf("i", ("sub", "ann"), ("azp", "web")));
        Assert.Equal(KeyOf("i", (ClaimTypes.NameIdentifier, "ann")), KeyOf("i", ("client_id", "app"), (ClaimTypes.NameIdentifier, "ann")));
        Assert.Equal(KeyOf("i", (ClaimTypes.Name, "ann")), KeyOf("i", ("client_id", "app"), (ClaimTypes.Name, "ann")));
    }

    [Theory]
    [InlineData("preferred_username")]
    [InlineData("email")]
    [InlineData(ClaimTypes.Upn)]
    public void Users_whose_token_has_no_subject_do_not_share_the_partition_of_their_client(string type)
    {
        var ann = KeyOf("i", ("azp", "web"), (type, "ann"));
        Assert.NotEqual(ann, KeyOf("i", ("azp", "web"), (type, "bob")));
        Assert.NotEqual(ann, KeyOf("i", ("azp", "web")));
        Assert.Equal(ann, KeyOf("i", (type, "ann"), ("azp", "web")));
    }

    [Fact]
    public void An_operator_can_name_a_client()
    {
        var name = new IdempotencyRecordQuery { Method = "POST", Path = "/pay", Key = "key", ClientId = "shop", Issuer = "i" };
        var context = new DefaultHttpContext { Request = { Method = "POST", Path = "/pay" }, User = new ClaimsPrincipal(new ClaimsIdentity([new Claim("azp", "shop", null, "i")], "Bearer")) };
        Assert.Equal(RequestIdentity.StoreKeyOf(context, new(), "key", KeyOrigin.Header), RequestIdentity.StoreKeyOf(name, "key"));
    }
}
