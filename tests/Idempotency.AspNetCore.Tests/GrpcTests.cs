using Grpc.Core;
using Grpc.Net.Client;
using Idempotency.AspNetCore.Tests.Rpc;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.TestHost;

namespace Idempotency.AspNetCore.Tests;

/// <summary>gRPC methods with an HTTP route (JSON transcoding): the route is protected, and the gRPC call is rejected.</summary>
public sealed class GrpcTests
{
    private static void AddGrpc(IServiceCollection services) => services.AddSingleton<RunCount>().AddGrpc().AddJsonTranscoding();

    [Fact]
    public async Task The_HTTP_route_of_a_marked_method_is_protected_and_its_gRPC_call_rejected()
    {
        await using var api = await Api.StartAsync(app => app.MapGrpcService<MarkedTransfersService>(), services: AddGrpc);
        using var missing = await api.SendAsync("/v1/transfers", key: null, json: """{"amount":5}""");
        using var first = await api.SendAsync("/v1/transfers", json: """{"amount":5}""");
        using var replay = await api.SendAsync("/v1/transfers", json: """{ "amount": 5.0 }""");
        using var reused = await api.SendAsync("/v1/transfers", json: """{"amount":6}""");
        await missing.AssertProblemAsync(400, "idempotency-key-missing", "new-key");
        Assert.Equal("""{"text":"transfer 5, run 1"}""", (await first.TextAsync()).Replace(" \"text\": ", "\"text\":", StringComparison.Ordinal).Replace(" }", "}", StringComparison.Ordinal));
        Assert.True(replay.IsReplay());
        await reused.AssertProblemAsync(422, "idempotency-key-reused", "new-key");

        using var channel = GrpcChannel.ForAddress(api.Address, new GrpcChannelOptions { HttpHandler = ((TestServer)api.Services.GetRequiredService<IServer>()).CreateHandler() });
        var client = new Transfers.TransfersClient(channel);
        var rejected = await Assert.ThrowsAsync<RpcException>(async () => await client.TransferAsync(new TransferRequest { Amount = 5 }, cancellationToken: TestContext.Current.CancellationToken));
        Assert.Equal(StatusCode.Unimplemented, rejected.StatusCode);
        Assert.Contains("HTTP route", rejected.Status.Detail, StringComparison.Ordinal);
        Assert.Equal(1, api.Logs.Count("GrpcRejected"));

        // What is not marked is gRPC as ever.
        var reversed = await client.ReverseAsync(new TransferRequest { Amount = 7 }, cancellationToken: TestContext.Current.CancellationToken);
        Assert.Equal("reverse 7, run 2", reversed.Text);
    }

    [Fact]
    public async Task A_marked_method_without_an_HTTP_route_fails_at_start_up()
    {
        var failure = await Assert.ThrowsAsync<InvalidOperationException>(() => Api.StartAsync(app => app.MapGrpcService<TransfersService>().WithIdempotency(), services: AddGrpc));
        Assert.Contains("/transfers.Transfers/Reverse", failure.Message, StringComparison.Ordinal);
        Assert.Contains("[DisableIdempotency]", failure.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("/transfers.Transfers/Transfer'", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_whole_service_can_be_protected_where_the_rest_is_taken_out()
    {
        await using var api = await Api.StartAsync(app => app.MapGrpcService<DisabledReverseService>().WithIdempotency(), services: AddGrpc);
        using var first = await api.SendAsync("/v1/transfers", json: """{"amount":5}""");
        using var replay = await api.SendAsync("/v1/transfers", json: """{"amount":5}""");
        Assert.True(replay.IsReplay());
        var shared = Assert.Single(api.Logs.Entries, entry => entry.Event == "SharedPartition");
        Assert.EndsWith("gRPC - /v1/transfers", shared.Text, StringComparison.Ordinal); // the only one that is protected
    }
}

internal sealed class RunCount
{
    private int _runs;

    public int Next() => Interlocked.Increment(ref _runs);
}

internal class TransfersService(RunCount runs) : Transfers.TransfersBase
{
    public override Task<TransferReply> Transfer(TransferRequest request, ServerCallContext context) => Task.FromResult(new TransferReply { Text = $"transfer {request.Amount}, run {runs.Next()}" });

    public override Task<TransferReply> Reverse(TransferRequest request, ServerCallContext context) => Task.FromResult(new TransferReply { Text = $"reverse {request.Amount}, run {runs.Next()}" });
}

internal sealed class MarkedTransfersService(RunCount runs) : TransfersService(runs)
{
    [Idempotent]
    public override Task<TransferReply> Transfer(TransferRequest request, ServerCallContext context) => base.Transfer(request, context);
}

internal sealed class DisabledReverseService(RunCount runs) : TransfersService(runs)
{
    [DisableIdempotency]
    public override Task<TransferReply> Reverse(TransferRequest request, ServerCallContext context) => base.Reverse(request, context);
}
