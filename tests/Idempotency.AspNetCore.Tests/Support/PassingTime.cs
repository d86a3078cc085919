namespace Idempotency.AspNetCore.Tests;

/// <summary>A clock that a test moves while something waits for it.</summary>
internal static class PassingTime
{
    /// <summary>Moves the clock until a task is done.</summary>
    /// <param name="time">The clock.</param>
    /// <param name="task">The task.</param>
    /// <param name="what">What it is, for the message when it does not end.</param>
    /// <param name="step">How far the clock moves at a time; a second by default.</param>
    public static Task PassUntilDoneAsync(this FakeTimeProvider time, Task task, string what, TimeSpan? step = null) => PassUntilAsync(time, () => task.IsCompleted, what, step);

    /// <summary>Moves the clock until something is true.</summary>
    /// <param name="time">The clock.</param>
    /// <param name="isTrue">Whether it is.</param>
    /// <param name="what">What it is, for the message when it never becomes true.</param>
    /// <param name="step">How far the clock moves at a time; a second by default.</param>
    public static Task PassUntilAsync(this FakeTimeProvider time, Func<bool> isTrue, string what, TimeSpan? step = null) => Eventually.TrueAsync(
        () =>
        {
            time.Advance(step ?? TimeSpan.FromSeconds(1));
            return isTrue();
        },
        what);
}
