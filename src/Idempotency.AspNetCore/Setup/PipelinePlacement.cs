using Microsoft.AspNetCore.Builder;

namespace Idempotency.AspNetCore;

/// <summary>Records where in the pipeline <c>UseIdempotency()</c> was called, for the start-up checks.</summary>
internal sealed class PipelinePlacement
{
    // The properties that UseRouting, UseAuthentication and UseAuthorization set on the builder.
    private static readonly (string Property, string Call, string Why)[] MustComeBefore =
    [
        ("__EndpointRouteBuilder", "UseRouting()", "no endpoint is selected yet, so nothing would be protected"),
        ("__AuthenticationMiddlewareSet", "UseAuthentication()", "the caller is not authenticated yet, so all callers would share one partition"),
        ("__AuthorizationMiddlewareSet", "UseAuthorization()", "a recorded response could be replayed to a caller who is not authorized to receive it"),
    ];

    private readonly List<(IDictionary<string, object?> Pipeline, bool[] WasThere)> _unchecked = [];

    /// <summary>Whether the middleware is in the pipeline.</summary>
    public bool IsPlaced { get; private set; }

    /// <summary>Records which middleware comes before this one.</summary>
    public void Add(IApplicationBuilder app)
    {
        IsPlaced = true;
        _unchecked.Add((app.Properties, [.. MustComeBefore.Select(middleware => app.Properties.ContainsKey(middleware.Property))]));
    }

    /// <summary>The errors for middleware that was added only after this one.</summary>
    public IEnumerable<string> TakeErrors()
    {
        foreach (var (pipeline, wasThere) in _unchecked)
        {
            for (var i = 0; i < wasThere.Length; i++)
            {
                var (property, call, why) = MustComeBefore[i];
                if (!wasThere[i] && pipeline.ContainsKey(property))
                {
                    yield return $"UseIdempotency() is called before {call}: {why}. Call app.UseIdempotency() after app.{call}.";
                }
            }
        }

        _unchecked.Clear();
    }
}
