using System.Text;
using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Forms;
using Microsoft.Extensions.Localization;
using MPSec.Changes;
using MPSec.Linux.Values;

namespace MPSec.Features.Network;

/// <summary>Saved versions of a gateway's configuration: what each changed, back to any of them, out to a file and in from one.</summary>
public sealed partial class NetworkHistoryTab(NetworkConfigurationService configurations, ChangeDesk desk, IStringLocalizer<NetworkTexts> texts) : IDisposable
{
    private const int LargestFile = 1 << 20;
    private const int Shown = 100;

    private ExecutionContext? _context;
    private string? _gateway;
    private IReadOnlyList<NetworkVersion>? _versions;
    private int? _selected;
    private string? _diff;
    private string? _problem;
    private string _import = "";
    private bool _busy;

    /// <summary>The gateway.</summary>
    [Parameter, EditorRequired]
    public required string Gateway { get; set; }

    /// <summary>Who looks.</summary>
    [Parameter, EditorRequired]
    public required ChangeActor Actor { get; set; }

    /// <summary>Why nothing may be changed; null when it may.</summary>
    [Parameter]
    public string? Locked { get; set; }

    /// <summary>Something was applied: read again.</summary>
    [Parameter]
    public EventCallback OnApplied { get; set; }

    private GatewayName Name => GatewayName.Parse(Gateway);

    private string ExportAddress => $"api/v1/gateways/{Uri.EscapeDataString(Gateway)}/network/configuration?download=true";

    /// <inheritdoc/>
    public void Dispose() => configurations.Changed -= OnChanged;

    /// <inheritdoc/>
    protected override void OnInitialized()
    {
        _context = ExecutionContext.Capture();
        configurations.Changed += OnChanged;
    }

    /// <inheritdoc/>
    protected override async Task OnParametersSetAsync()
    {
        if (_gateway != Gateway)
        {
            (_gateway, _versions, _selected, _diff, _problem) = (Gateway, null, null, null, null);
            await ReadAsync();
        }
    }

    private static string Css(string line) => line switch
    {
        ['+', '+', '+', ..] or ['-', '-', '-', ..] => "t3",
        ['+', ..] => "add",
        ['-', ..] => "del",
        _ => "t3",
    };

    // Numbers of versions that were undone are missing.
    private int? BeforeOf(int version) => _versions!.Where(v => v.Version < version).Select(v => (int?)v.Version).FirstOrDefault();

    private async Task ReadAsync()
    {
        _versions = await configurations.HistoryAsync(Name, Shown);
        StateHasChanged();
    }

    private async Task SelectAsync(int version)
    {
        var after = await configurations.FindAsync(Name, version);
        var before = BeforeOf(version) is { } number ? await configurations.FindAsync(Name, number) : null;
        (_selected, _diff) = (version, NetworkDiff.Between(before?.Document, after?.Document).Text);
    }

    private Task RevertAsync(int version) => RunAsync(new(texts["RevertTitle", version], texts["RevertSummary"], texts["RevertConfirm", version], texts["RevertDone", version])
    {
        Plan = () => configurations.RevertPlanAsync(Name, version),
        TellsRefusal = true,
    });

    private async Task ImportAsync()
    {
        NetworkDocument document;
        try
        {
            document = NetworkDocument.Parse(_import);
        }
        catch (FormatException e)
        {
            _problem = Said.Of(e.Message);
            return;
        }

        var current = await configurations.CurrentAsync(Name);
        await RunAsync(new(texts["ApplyTitle", Gateway], texts["ApplySummary"], texts["ApplyConfirm"], texts["ApplyDone"])
        {
            Plan = () => configurations.PlanAsync(Name, document, current?.Version),
            TellsRefusal = true,
        });
    }

    private async Task LoadAsync(InputFileChangeEventArgs e)
    {
        if (e.File.Size > LargestFile)
        {
            _problem = texts["ImportTooLarge", LargestFile / 1024];
            return;
        }

        using var reader = new StreamReader(e.File.OpenReadStream(LargestFile), Encoding.UTF8);
        (_import, _problem) = (await reader.ReadToEndAsync(), null);
    }

    private async Task RunAsync(ChangeWish wish)
    {
        (_busy, _problem) = (true, null);
        try
        {
            var answer = await desk.RunAsync(wish, Actor);
            _problem = answer.Refusal;
            if (answer.IsDone)
            {
                await ReadAsync();
                await OnApplied.InvokeAsync();
            }
        }
        finally
        {
            _busy = false;
        }
    }

    // From any thread; without this context the tab would lose its language.
    private void OnChanged(GatewayName gateway)
    {
        if (gateway.Value == _gateway)
        {
            ExecutionContext.Run(_context!, static self => _ = ((NetworkHistoryTab)self!).InvokeAsync(((NetworkHistoryTab)self!).ReadAsync), this);
        }
    }
}
