using Microsoft.AspNetCore.Mvc.ApplicationModels;
using Microsoft.AspNetCore.Mvc.ModelBinding;

namespace Idempotency.AspNetCore;

/// <summary>Binds <see cref="IIdempotentRun"/> and <see cref="IIdempotencyFeature"/> parameters of controller actions.</summary>
internal sealed class RunParameterProvider : IApplicationModelProvider
{
    /// <summary>After the default provider (-1000), which creates the parameters, and before that of API controllers (-900), which would bind an interface to the request body.</summary>
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
