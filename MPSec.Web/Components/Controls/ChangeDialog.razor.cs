using Microsoft.AspNetCore.Components;
using MudBlazor;

namespace MPSec.Components.Controls;

/// <summary>
/// Asks before a change: shows what will be done, what takes it back and who is affected. The focus starts on Cancel; Enter never
/// confirms a level that can cut the browser off or cannot be undone.
/// </summary>
public sealed partial class ChangeDialog : ComponentBase
{
    private readonly string _id = "d" + Guid.NewGuid().ToString("N")[..8];
    private ElementReference _cancel;
    private string _typed = "";

    /// <summary>What is asked.</summary>
    [Parameter, EditorRequired]
    public required ChangePrompt Prompt { get; set; }

    [CascadingParameter]
    private IMudDialogInstance Dialog { get; set; } = default!;

    private bool MayConfirm => Prompt.Danger != DangerLevel.Irreversible || (_typed.Length > 0 && _typed == Prompt.TypedName);

    /// <summary>Shows the dialog; true when the user confirmed.</summary>
    public static async Task<bool> AskAsync(IDialogService dialogs, ChangePrompt prompt)
    {
        ArgumentNullException.ThrowIfNull(dialogs);
        var reference = await dialogs.ShowAsync<ChangeDialog>(
            prompt.Title,
            new DialogParameters<ChangeDialog> { { d => d.Prompt, prompt } },
            new DialogOptions { NoHeader = true, CloseOnEscapeKey = true, BackdropClick = false, MaxWidth = MaxWidth.False });
        return await reference.Result is { Canceled: false };
    }

    /// <inheritdoc/>
    protected override async Task OnAfterRenderAsync(bool firstRender)
    {
        if (firstRender)
        {
            await _cancel.FocusAsync();
        }
    }

    private void Confirm()
    {
        if (MayConfirm)
        {
            Dialog.Close();
        }
    }
}
