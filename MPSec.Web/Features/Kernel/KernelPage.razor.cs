using Microsoft.Extensions.Localization;
using MPSec.Components.Controls;

namespace MPSec.Features.Kernel;

/// <summary>The Kernel page: what the running kernel can do, and the shortest way to Multipath TCP.</summary>
public sealed partial class KernelPage(KernelReportService service, IStringLocalizer<KernelTexts> texts, TimeProvider time) : IDisposable
{
    private readonly CancellationTokenSource _gone = new();
    private KernelReport? _report;
    private DateTimeOffset? _readAt;
    private string? _failure;
    private string? _filter;
    private bool _reading;

    private IStringLocalizer<KernelTexts> L => texts;

    private KernelWords Words => KernelWords.Of(texts);

    private (string Text, StateKind Kind) StateLine => _report is { } report
        ? (Words.Verdict(report), report switch
        {
            { Road: not KernelRoad.Nothing } => StateKind.Down,
            _ => report.Missing.Any() ? StateKind.Degraded : StateKind.Up,
        })
        : _failure is null ? (L["Reading"], StateKind.Unknown) : (L["Failed"], StateKind.Down);

    /// <inheritdoc/>
    public void Dispose()
    {
        _gone.Cancel();
        _gone.Dispose();
    }

    /// <summary>Which sign goes with the state of a feature.</summary>
    internal static StateKind Kind(KernelFeatureLine line)
    {
        ArgumentNullException.ThrowIfNull(line);
        return line.State switch
        {
            KernelFeatureState.Works => StateKind.Up,
            KernelFeatureState.Ready or KernelFeatureState.ModuleNotLoaded => StateKind.Standby,
            KernelFeatureState.SwitchedOff => StateKind.Off,
            KernelFeatureState.Refused => StateKind.Down,
            KernelFeatureState.NotCompiled => line.IsNeeded ? StateKind.Down : StateKind.None,
            KernelFeatureState.TooOld or KernelFeatureState.OtherFlavour => StateKind.None,
            _ => StateKind.Unknown,
        };
    }

    /// <inheritdoc/>
    protected override async Task OnAfterRenderAsync(bool firstRender)
    {
        // Not while the page is made ready on the server: the trials would run twice.
        if (firstRender)
        {
            await ReadAsync();
        }
    }

    private IEnumerable<KernelFeatureLine> Shown(KernelReport report) => report.Features.Where(line => string.IsNullOrWhiteSpace(_filter)
        || new[] { Words.Name(line), Words.Gives(line), line.Option, Words.State(line) }.Any(word => word.Contains(_filter.Trim(), StringComparison.CurrentCultureIgnoreCase)));

    private async Task ReadAsync()
    {
        _reading = true;
        _failure = null;
        StateHasChanged();
        try
        {
            _report = await service.ReadAsync(_gone.Token);
            _readAt = time.GetUtcNow();
        }
        catch (IOException e)
        {
            _failure = e.Message;
        }
        catch (OperationCanceledException)
        {
            return;
        }

        _reading = false;
        StateHasChanged();
    }
}
