namespace Idempotency.AspNetCore.Simulation;

/// <summary>What a handler ends in, and whether it marks its effects. Functions know no statuses: for them, those that are not recorded are failures.</summary>
internal enum HandlerKind
{
    /// <summary>Answers 201.</summary>
    Creates,

    /// <summary>Answers 402, which is recorded.</summary>
    Declines,

    /// <summary>Answers 429, which is not.</summary>
    PutsOff,

    /// <summary>Answers 500.</summary>
    Fails,

    Throws,

    /// <summary>Streams, as server-sent events do.</summary>
    Streams,

    /// <summary>Writes more than is recorded.</summary>
    WritesMuch,

    /// <summary>Calls <see cref="IIdempotentRun.MarkEffectsStartedAsync"/>, and answers 201.</summary>
    Marks,

    /// <summary>Calls it, and throws.</summary>
    MarksAndThrows,

    /// <summary>Cuts the connection.</summary>
    Aborts,
}
