namespace Idempotency.AspNetCore.Simulation;

/// <summary>One server's way to the store: every call is a request and a reply, each of which may be late or lost.</summary>
/// <remarks>A new operation of the contract is one more method here, one in <see cref="Checker"/>, and one in <see cref="ReferenceStore"/>.</remarks>
internal sealed class StoreNetwork(World world, Server server) : IIdempotencyStore
{
    public int MaxPayloadSize => world.Store.MaxPayloadSize;

    public int CompressionThreshold => world.Store.CompressionThreshold;

    public ValueTask<ClaimResult> ClaimAsync(StoreKey key, IdempotencyClaim claim, CancellationToken cancellationToken)
    {
        var asked = Ask(StoreOperation.Claim, key, claim.Owner);
        return Send(
            asked,
            () => world.Store.ClaimAsync(key, claim, CancellationToken.None),
            result => world.Checker.Claimed(asked, claim, result),
            static result => result.Existing is { } existing ? ClaimResult.Held(Damaged(existing)) : result.Steps.IsEmpty ? result : ClaimResult.TookOver(Damaged(result.Steps)),
            cancellationToken);
    }

    public ValueTask<bool> RenewAsync(StoreKey key, Guid owner, TimeSpan lease, TimeSpan retention, CancellationToken cancellationToken)
    {
        var asked = Ask(StoreOperation.Renew, key, owner);
        return Send(asked, () => world.Store.RenewAsync(key, owner, lease, retention, CancellationToken.None), done => world.Checker.Renewed(asked, lease, retention, done), null, cancellationToken);
    }

    public ValueTask<bool> MarkEffectsStartedAsync(StoreKey key, Guid owner, TimeSpan lease, TimeSpan retention, CancellationToken cancellationToken)
    {
        var asked = Ask(StoreOperation.Mark, key, owner);
        return Send(asked, () => world.Store.MarkEffectsStartedAsync(key, owner, lease, retention, CancellationToken.None), done => world.Checker.Renewed(asked, lease, retention, done), null, cancellationToken);
    }

    public ValueTask<bool> SaveStepsAsync(StoreKey key, Guid owner, IdempotencySteps steps, TimeSpan lease, TimeSpan retention, CancellationToken cancellationToken)
    {
        var asked = Ask(StoreOperation.SaveSteps, key, owner);
        return Send(asked, () => world.Store.SaveStepsAsync(key, owner, steps, lease, retention, CancellationToken.None), done => world.Checker.StepsSaved(asked, steps, lease, retention, done), null, cancellationToken);
    }

    public ValueTask<bool> CompleteAsync(StoreKey key, Guid owner, ReadOnlyMemory<byte> payload, TimeSpan retention, CancellationToken cancellationToken)
    {
        var asked = Ask(StoreOperation.Complete, key, owner);
        return Send(asked, () => world.Store.CompleteAsync(key, owner, payload, retention, CancellationToken.None), done => world.Checker.Completed(asked, retention, done), null, cancellationToken);
    }

    public ValueTask<bool> ReleaseAsync(StoreKey key, Guid owner, CancellationToken cancellationToken)
    {
        var asked = Ask(StoreOperation.Release, key, owner);
        return Send(asked, () => world.Store.ReleaseAsync(key, owner, CancellationToken.None), done => world.Checker.Released(asked, done), null, cancellationToken);
    }

    public ValueTask<IdempotencyRecord?> ReadAsync(StoreKey key, CancellationToken cancellationToken)
    {
        var asked = Ask(StoreOperation.Read, key, default);
        return Send(asked, () => world.Store.ReadAsync(key, CancellationToken.None), static _ => { }, static record => record is null ? null : Damaged(record), cancellationToken);
    }

    public ValueTask<bool> DeleteAsync(StoreKey key, CancellationToken cancellationToken)
    {
        var asked = Ask(StoreOperation.Delete, key, default);
        return Send(asked, () => world.Store.DeleteAsync(key, CancellationToken.None), done => world.Checker.Deleted(asked, done), null, cancellationToken);
    }

    private static IdempotencyRecord Damaged(IdempotencyRecord record) => record.Payload.IsEmpty ? record : record with { Payload = Damaged(record.Payload) };

    // One byte of it is another by the time it arrives, of the response's body or of a step's result: every record has a checksum.
    private static byte[] Damaged(ReadOnlyMemory<byte> payload)
    {
        var damaged = payload.ToArray();
        damaged[^Math.Min(8, damaged.Length)] ^= 0x10;
        return damaged;
    }

    private StoreCall Ask(StoreOperation operation, StoreKey key, Guid owner) => new(operation, key, owner, server, Exchange.Current, world.Scheduler.Now);

    private ValueTask<T> Send<T>(StoreCall asked, Func<ValueTask<T>> apply, Action<T> applied, Func<T, T>? damage, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        world.Operations++;
        var delivery = world.Faults.Deliver(server, asked);
        var call = new Pending<T>(world, asked, delivery, apply, applied, damage);
        world.Timeline.Add(asked.KeyName, (asked, delivery), static call => $"{call.asked.Server.Name} asks the store: {call.asked}{Describe(call.delivery)}");
        call.Start(cancellationToken);
        return new ValueTask<T>(call.Task);
    }

    private static string Describe(Delivery delivery) => !delivery.IsFaulty ? "" :
        (delivery.Request is { } request ? request > TimeSpan.FromMilliseconds(5) ? $", takes {request.TotalSeconds:0.000} s" : "" : ", the request is lost")
        + (delivery.Request is not null && delivery.Reply is null ? ", the reply is lost" : delivery.Reply is { } reply && reply > TimeSpan.FromMilliseconds(5) ? $", the reply takes {reply.TotalSeconds:0.000} s" : "")
        + (delivery.Error is { } error ? $", the caller is told after {error.TotalSeconds:0.000} s that it failed" : "")
        + (delivery.IsDamaged ? ", what comes back is damaged" : "")
        + (delivery.CrashesWhenSent ? ", and the server crashes" : "")
        + (delivery.CrashesWhenApplied ? ", and the server crashes once it is applied" : "");

    private sealed class Pending<T>(World world, StoreCall asked, Delivery delivery, Func<ValueTask<T>> apply, Action<T> applied, Func<T, T>? damage) : TaskCompletionSource<T>
    {
        private CancellationTokenRegistration _givesUp;
        private T? _result;
        private Exception? _exception;

        public void Start(CancellationToken cancellationToken)
        {
            if (cancellationToken.CanBeCanceled)
            {
                _givesUp = cancellationToken.UnsafeRegister(static (call, token) => ((Pending<T>)call!).TrySetCanceled(token), this);
            }

            if (delivery.Request is { } request)
            {
                world.Scheduler.PostAfter(request, null, static call => ((Pending<T>)call!).Apply(), this, isChoice: true);
            }

            if (delivery.Error is { } error)
            {
                world.Scheduler.PostAfter(error, asked.Server.Process, static call => ((Pending<T>)call!).Fail(new NetworkException("The connection was reset.")), this);
            }

            if (delivery.CrashesWhenSent)
            {
                asked.Server.Crash();
            }
        }

        private void Apply()
        {
            if (world.Faults.IsStoreAway(asked.Server))
            {
                asked.Exchange?.Disturb();
                return;
            }

            world.Timeline.Add(asked.KeyName, asked, static asked => $"the store applies {asked.Server.Name}'s {asked}");
            try
            {
                _result = apply().Reply();
                world.Scheduler.Note(HashOf(_result));
                applied(_result);
            }
            catch (IdempotencyStoreFullException exception)
            {
                _exception = exception;
            }

            if (delivery.CrashesWhenApplied)
            {
                asked.Server.Crash();
            }
            else if (delivery.Reply is { } reply)
            {
                world.Scheduler.PostAfter(reply, asked.Server.Process, static call => ((Pending<T>)call!).Reply(), this);
            }
        }

        private void Reply()
        {
            if (Task.IsCompleted)
            {
                return;
            }

            if (world.Faults.IsStoreAway(asked.Server))
            {
                asked.Exchange?.Disturb();
                return;
            }

            if (_exception is not null)
            {
                Fail(_exception);
                return;
            }

            asked.ArrivedAt(world.Scheduler.Now);
            _givesUp.Dispose();
            TrySetResult(delivery.IsDamaged && damage is not null ? damage(_result!) : _result!);
        }

        private void Fail(Exception exception)
        {
            _givesUp.Dispose();
            TrySetException(exception);
        }

        private static long HashOf(T result) => result switch
        {
            bool done => done ? 2 : 1,
            ClaimResult claimed => claimed.IsAcquired ? 3 : claimed.Existing is { } existing ? 4 + (long)existing.Status : 6,
            _ => 7,
        };
    }
}
