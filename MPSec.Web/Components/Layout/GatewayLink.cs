using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.WebUtilities;

namespace MPSec.Components.Layout;

/// <summary>The current gateway lives in the address (<c>?gateway=NAME</c>), so that a reload and a sent link show the same.</summary>
public static class GatewayLink
{
    /// <summary>Name of the query parameter, and of the cascading value that pages receive.</summary>
    public const string Parameter = "gateway";

    /// <summary>The gateway that <paramref name="uri"/> names; null when it names none.</summary>
    public static string? Read(string uri) =>
        Uri.TryCreate(uri, UriKind.RelativeOrAbsolute, out var parsed) && parsed.IsAbsoluteUri
        && QueryHelpers.ParseQuery(parsed.Query).TryGetValue(Parameter, out var values) && values.ToString() is { Length: > 0 } name
            ? name
            : null;

    /// <summary>Address of <paramref name="href"/> (relative, may have a query) for <paramref name="gateway"/>.</summary>
    public static string To(string href, string gateway)
    {
        ArgumentNullException.ThrowIfNull(href);
        ArgumentNullException.ThrowIfNull(gateway);
        return QueryHelpers.AddQueryString(href.Length == 0 ? "./" : href, Parameter, gateway);
    }

    /// <summary>The current page for another gateway; other parts of the query belong to the old one and go.</summary>
    public static string Switch(NavigationManager navigation, string gateway)
    {
        ArgumentNullException.ThrowIfNull(navigation);
        return To(navigation.ToBaseRelativePath(navigation.Uri).Split('?', '#')[0], gateway);
    }
}
