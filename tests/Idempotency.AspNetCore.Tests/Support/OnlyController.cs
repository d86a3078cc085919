using System.Reflection;
using Microsoft.AspNetCore.Mvc.ApplicationParts;
using Microsoft.AspNetCore.Mvc.Controllers;

namespace Idempotency.AspNetCore.Tests;

/// <summary>One controller instead of all those of the test assembly.</summary>
internal sealed class OnlyController<TController> : IApplicationFeatureProvider<ControllerFeature>
{
    public void PopulateFeature(IEnumerable<ApplicationPart> parts, ControllerFeature feature) => feature.Controllers.Add(typeof(TController).GetTypeInfo());
}
