namespace Idempotency.AspNetCore.Simulation;

/// <summary>How a request can end for its client.</summary>
internal enum AnswerKind
{
    Response,

    /// <summary>The connection was reset: the server crashed, or did not want to answer.</summary>
    Reset,

    /// <summary>The client had waited long enough.</summary>
    TimedOut,

    /// <summary>The client left in the middle of the response.</summary>
    Left,
}
