namespace Idempotency.AspNetCore.Simulation;

/// <summary>Decides what happens next, among all that can.</summary>
internal interface IChoices
{
    /// <summary>
    /// Whether every order is tried, one after the other. Then what touches one server alone is no choice: it happens at once, in its order, because it can be exchanged with
    /// whatever another server does, and only what the store applies cannot.
    /// </summary>
    bool AreExhaustive { get; }

    /// <summary>One of several; asked only where there is more than one.</summary>
    /// <param name="count">How many there are.</param>
    /// <param name="moment">When: choices of other moments do not depend on it, so that a world without one of its faults stays like itself elsewhere.</param>
    int Choose(int count, long moment);
}
