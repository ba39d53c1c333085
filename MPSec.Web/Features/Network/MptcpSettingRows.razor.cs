using Microsoft.AspNetCore.Components;
using MPSec.Components.Controls;

namespace MPSec.Features.Network;

/// <summary>A value that somebody typed.</summary>
/// <param name="Name">Name of the setting.</param>
/// <param name="Value">The value.</param>
public sealed record MptcpSettingChange(string Name, string Value)
{
    /// <summary>What came of it; null before.</summary>
    public MptcpPlanRequest? Request { get; private set; }

    /// <summary>Runs the request and keeps it, so that the row can show a refusal beside the field.</summary>
    public Task RunAsync(MptcpPlanRequest request, Func<MptcpPlanRequest, Task> run)
    {
        ArgumentNullException.ThrowIfNull(run);
        Request = request;
        return run(request);
    }
}

/// <summary>A group of settings: what each is for, its value, default, range and age, changed in place.</summary>
public sealed partial class MptcpSettingRows
{
    private string? _editing;
    private string _text = "";
    private string? _refusal;
    private bool _busy;

    /// <summary>Heading.</summary>
    [Parameter, EditorRequired]
    public required string Title { get; set; }

    /// <summary>The settings.</summary>
    [Parameter, EditorRequired]
    public required IReadOnlyList<MptcpSettingState> Settings { get; set; }

    /// <summary>Release of the kernel.</summary>
    [Parameter]
    public string? Release { get; set; }

    /// <summary>Why nothing can be changed; null when it can.</summary>
    [Parameter]
    public string? Locked { get; set; }

    /// <summary>A value was typed.</summary>
    [Parameter]
    public EventCallback<MptcpSettingChange> OnChange { get; set; }

    /// <summary>Stands above the settings.</summary>
    [Parameter]
    public RenderFragment? ChildContent { get; set; }

    private static string RangeOf(MptcpSettingState setting) =>
        setting.Choices.Length > 0 ? string.Join(", ", setting.Choices) : setting.Known?.Range is { Length: > 0 } range ? range : Figures.Missing;

    private void Edit(MptcpSettingState setting) => (_editing, _text, _refusal) = (setting.Name, setting.Value ?? "", null);

    private void Cancel() => (_editing, _refusal) = (null, null);

    private async Task ApplyAsync(MptcpSettingState setting)
    {
        _busy = true;
        _refusal = null;
        var change = new MptcpSettingChange(setting.Name, _text);
        await OnChange.InvokeAsync(change);
        (_busy, _refusal) = (false, change.Request?.Refusal);
        if (change.Request?.IsDone == true)
        {
            Cancel();
        }
    }
}
