using Microsoft.Extensions.Localization;
using MudBlazor;

namespace MPSec.Components.Layout;

/// <summary>Messages at the lower right, gone by themselves after a while; errors stay until they are closed.</summary>
public sealed partial class ToastHost(ISnackbar snackbar, TimeProvider time, IStringLocalizer<UiTexts> texts) : IDisposable
{
    /// <summary>Messages shown at once, the newest last.</summary>
    private const int MostShown = 5;

    private readonly HashSet<Snackbar> _timed = [];
    private readonly CancellationTokenSource _stop = new();

    private ISnackbar Snackbar => snackbar;

    private IStringLocalizer<UiTexts> L => texts;

    private IEnumerable<Snackbar> Shown => snackbar.ShownSnackbars.TakeLast(MostShown);

    /// <inheritdoc/>
    public void Dispose()
    {
        snackbar.OnSnackbarsUpdated -= OnUpdated;
        _stop.Cancel();
        _stop.Dispose();
    }

    /// <inheritdoc/>
    protected override void OnInitialized() => snackbar.OnSnackbarsUpdated += OnUpdated;

    private static string Css(Severity severity) => severity switch { Severity.Success => "ok", Severity.Warning => "warn", Severity.Error => "bad", _ => "" };

    private static string Icon(Severity severity) => severity switch { Severity.Success => "ok", Severity.Warning => "warn", Severity.Error => "bad", _ => "info" };

    private void OnUpdated()
    {
        foreach (var toast in snackbar.ShownSnackbars.Where(t => t.Severity != Severity.Error))
        {
            if (_timed.Add(toast))
            {
                _ = RemoveLaterAsync(toast, _stop.Token);
            }
        }

        _ = InvokeAsync(StateHasChanged);
    }

    private async Task RemoveLaterAsync(Snackbar toast, CancellationToken cancellationToken)
    {
        try
        {
            await Task.Delay(TimeSpan.FromMilliseconds(snackbar.Configuration.VisibleStateDuration), time, cancellationToken);
            _timed.Remove(toast);
            snackbar.Remove(toast);
        }
        catch (OperationCanceledException)
        {
            // The page has gone, and its messages with it.
        }
    }
}
