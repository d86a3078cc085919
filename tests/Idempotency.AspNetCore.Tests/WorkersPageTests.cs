using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Microsoft.Extensions.Hosting;

namespace Idempotency.AspNetCore.Tests;

/// <summary>The code of docs/workers.md, run. It stands here as it stands there.</summary>
public sealed class WorkersPageTests
{
    [Fact]
    public async Task A_worker_pays_once_what_its_queue_delivers_twice()
    {
        var queue = new Queue();
        var bank = new Bank();
        var builder = Host.CreateApplicationBuilder(Array.Empty<string>());
        builder.Services.AddSingleton<IPayoutQueue>(queue).AddSingleton(bank);
        // <workers.md>
        builder.Services.AddIdempotency(); // .AddRedisStore(...) or another store that outlives the process
        builder.Services.AddHostedService<Payouts>();
        // </workers.md>
        using var host = builder.Build();
        await host.StartAsync(TestContext.Current.CancellationToken);
        foreach (var id in new[] { "p-1", "p-1", "p-2" })
        {
            await queue.Messages.Writer.WriteAsync(new Message(id), TestContext.Current.CancellationToken);
        }

        Assert.Equal("p-1", await bank.Paid.Reader.ReadAsync(TestContext.Current.CancellationToken));
        Assert.Equal("p-2", await bank.Paid.Reader.ReadAsync(TestContext.Current.CancellationToken));
        await host.StopAsync(TestContext.Current.CancellationToken);
        Assert.Null(host.Services.GetService<Microsoft.AspNetCore.Hosting.Server.IServer>());
    }

    [Fact]
    public async Task Every_line_of_code_on_the_page_stands_in_this_file()
    {
        // What makes the host and runs it is the test's own affair.
        var here = (await File.ReadAllLinesAsync(ThisFile(), TestContext.Current.CancellationToken)).Select(line => line.Trim()).Append("var builder = Host.CreateApplicationBuilder(args);").Append("builder.Build().Run();").ToHashSet();
        var page = await File.ReadAllTextAsync(Path.Combine(Path.GetDirectoryName(ThisFile())!, "../../docs/workers.md"), TestContext.Current.CancellationToken);
        var code = page.Split("```csharp\n").Skip(1).SelectMany(block => block.Split("```")[0].Split('\n')).Select(line => line.Trim()).Where(line => line.Length > 0).ToList();
        Assert.NotEmpty(code);
        Assert.All(code, line => Assert.Contains(line, here));
    }

    private static string ThisFile([CallerFilePath] string path = "") => path;

    internal interface IPayoutQueue
    {
        IAsyncEnumerable<Message> ReadAsync(CancellationToken cancellationToken);
    }

    internal sealed record Message(string Id);

    private sealed class Queue : IPayoutQueue
    {
        public Channel<Message> Messages { get; } = Channel.CreateUnbounded<Message>();

        public IAsyncEnumerable<Message> ReadAsync(CancellationToken cancellationToken) => Messages.Reader.ReadAllAsync(cancellationToken);
    }

    internal sealed class Bank
    {
        public Channel<string> Paid { get; } = Channel.CreateUnbounded<string>();

        public async Task<bool> PayAsync(Message message, CancellationToken cancellation)
        {
            await Paid.Writer.WriteAsync(message.Id, cancellation);
            return true;
        }
    }

    // <workers.md>
    internal sealed class Payouts(IIdempotentExecutor executor, IPayoutQueue queue, Bank bank) : BackgroundService
    {
        protected override async Task ExecuteAsync(CancellationToken stoppingToken)
        {
            await foreach (var message in queue.ReadAsync(stoppingToken))
            {
                await executor.ExecuteAsync("payouts", message.Id, (run, cancel) => bank.PayAsync(message, cancel), cancellationToken: stoppingToken);
            }
        }
    }
    // </workers.md>
}
