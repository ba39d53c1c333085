using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Rendering;
using Microsoft.AspNetCore.Components.Web;
using MPSec.Components.Controls;

namespace MPSec.Components.Layout;

/// <summary>Catches what a page throws, keeps the shell alive and gives the user a code that is also in the log.</summary>
public sealed partial class FaultBoundary(ILogger<FaultBoundary> logger) : ErrorBoundaryBase
{
    private string _code = "";

    /// <inheritdoc/>
    protected override Task OnErrorAsync(Exception exception)
    {
        _code = "E-UI-" + Guid.NewGuid().ToString("N")[..8].ToUpperInvariant();
        LogFault(logger, exception, _code);
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    protected override void BuildRenderTree(RenderTreeBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        if (CurrentException is null)
        {
            builder.AddContent(0, ChildContent);
            return;
        }

        builder.OpenComponent<PageFault>(1);
        builder.AddComponentParameter(2, nameof(PageFault.Code), _code);
        builder.AddComponentParameter(3, nameof(PageFault.OnRetry), EventCallback.Factory.Create(this, Recover));
        builder.CloseComponent();
    }

    [LoggerMessage(EventId = 2001, Level = LogLevel.Error, Message = "A page failed, code {Code}")]
    private static partial void LogFault(ILogger logger, Exception exception, string code);
}
