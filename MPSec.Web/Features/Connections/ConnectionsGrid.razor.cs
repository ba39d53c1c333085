using System.Collections.Immutable;
using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Web;
using Microsoft.Extensions.Localization;

namespace MPSec.Features.Connections;

/// <summary>The list of connections and subflows. Only the lines in sight are rendered.</summary>
public sealed partial class ConnectionsGrid(IStringLocalizer<ConnectionsTexts> texts)
{
    /// <summary>All lines in their order.</summary>
    [Parameter, EditorRequired]
    public required List<ConnectionLine> Lines { get; set; }

    /// <summary>Columns behind the first.</summary>
    [Parameter, EditorRequired]
    public required ImmutableArray<ConnectionColumn> Columns { get; set; }

    /// <summary>By what it was sorted.</summary>
    [Parameter, EditorRequired]
    public required ConnectionSort Sort { get; set; }

    /// <summary>Connections whose subflows show.</summary>
    [Parameter, EditorRequired]
    public required IReadOnlySet<ConnectionKey> Open { get; set; }

    /// <summary>The connection whose details show.</summary>
    [Parameter]
    public ConnectionKey? Selected { get; set; }

    /// <summary>A person sorts.</summary>
    [Parameter]
    public EventCallback<ConnectionColumn> OnSort { get; set; }

    /// <summary>A person wants details.</summary>
    [Parameter]
    public EventCallback<ConnectionRow> OnSelect { get; set; }

    /// <summary>A person opens or closes the subflows.</summary>
    [Parameter]
    public EventCallback<ConnectionRow> OnFold { get; set; }

    /// <summary>Escape was pressed.</summary>
    [Parameter]
    public EventCallback OnEscape { get; set; }

    private ConnectionWords Words => field ??= new(texts);

    private IStringLocalizer<ConnectionsTexts> L => texts;

    private static string? Css(ConnectionColumn column) => column.IsNumber && column.Key is not ("paths" or "share") ? "num" : null;

    private string? SortOf(ConnectionColumn column) => Sort.Column != column ? null : Sort.Descending ? "descending" : "ascending";

    private Task OnKey(KeyboardEventArgs e) => e.Key == "Escape" ? OnEscape.InvokeAsync() : Task.CompletedTask;
}
