using Microsoft.AspNetCore.Mvc.ApplicationModels;
using Microsoft.AspNetCore.Mvc.ModelBinding;

namespace Idempotency.AspNetCore;

/// <summary>Lets actions of controllers ask for <see cref="IIdempotentRun"/> or <see cref="IIdempotencyFeature"/> as a parameter.</summary>
internal sealed class RunParameterProvider : IApplicationModelProvider
{
    /// <summary>After the default provider (-1000), which makes the parameters, and before that of API controllers (-900), which would take an interface for the request's body.</summary>
    public int Order => -950;

    public void OnProvidersExecuting(ApplicationModelProviderContext context)
    {
        foreach (var parameter in context.Result.Controllers.SelectMany(static controller => controller.Actions).SelectMany(static action => action.Parameters))
        {
            if (parameter.ParameterType == typeof(IIdempotentRun) || parameter.ParameterType == typeof(IIdempotencyFeature))
            {
                parameter.BindingInfo = new BindingInfo { BindingSource = BindingSource.Special, BinderType = typeof(Binder) };
            }
        }
    }

    public void OnProvidersExecuted(ApplicationModelProviderContext context)
    {
    }

    private sealed class Binder : IModelBinder
    {
        public Task BindModelAsync(ModelBindingContext bindingContext)
        {
            bindingContext.Result = ModelBindingResult.Success(HandlerRun.Of(bindingContext.HttpContext));
            return Task.CompletedTask;
        }
    }
}
