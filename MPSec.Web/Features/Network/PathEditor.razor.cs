using Microsoft.AspNetCore.Components;
using Microsoft.Extensions.Localization;
using MPSec.Components.Controls;

namespace MPSec.Features.Network;

/// <summary>Edits one path of a draft. Nothing is applied here: what is taken over waits in the draft with the other paths.</summary>
public sealed partial class PathEditor(IStringLocalizer<NetworkTexts> texts)
{
    private PathForm _form = new();
    private string? _shown;
    private IReadOnlyDictionary<string, string> _faults = new Dictionary<string, string>();

    /// <summary>The interface as it is.</summary>
    [Parameter, EditorRequired]
    public required NetworkPath Path { get; set; }

    /// <summary>The path in the draft.</summary>
    [Parameter, EditorRequired]
    public required NetworkDocumentPath Draft { get; set; }

    /// <summary>Program that manages addresses and link of the interface; null when nobody does.</summary>
    [Parameter]
    public string? Owner { get; set; }

    /// <summary>Puts the path into the draft; answers by field what is wrong with it there.</summary>
    [Parameter, EditorRequired]
    public required Func<NetworkDocumentPath, IReadOnlyDictionary<string, string>> Take { get; set; }

    /// <summary>The editor shall close.</summary>
    [Parameter]
    public EventCallback OnClose { get; set; }

    private SegmentChoice<string>[] Roles => [new("", texts["RoleNone"]), .. Enum.GetValues<NetworkPathRole>().Select(r => new SegmentChoice<string>(r.ToString(), texts[$"Role_{r}"], Hint: texts[$"RoleWhy_{r}"]))];

    private SegmentChoice<bool>[] States => [new(true, texts["LinkReady"], "up"), new(false, texts["LinkDown"], "down")];

    /// <inheritdoc/>
    protected override void OnParametersSet()
    {
        if (_shown != Path.Name)
        {
            (_shown, _form, _faults) = (Path.Name, PathForm.Of(Draft), new Dictionary<string, string>());
        }
    }

    private async Task TakeAsync()
    {
        if (_form.Build(Draft, out var unread) is { } path)
        {
            _faults = Take(path);
            if (_faults.Count == 0)
            {
                await OnClose.InvokeAsync();
            }
        }
        else
        {
            _faults = unread.ToDictionary(f => f.Key, f => texts[$"Form_{f.Key}", f.Value].Value);
        }
    }

    private RenderFragment? Fault(string field) => _faults.TryGetValue(field, out var sentence)
        ? builder =>
        {
            builder.OpenElement(0, "span");
            builder.AddAttribute(1, "class", "sm c-bad");
            builder.AddAttribute(2, "role", "alert");
            builder.AddAttribute(3, "data-fault-of", field);
            builder.AddContent(4, sentence);
            builder.CloseElement();
        }
        : null;
}
