using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Rendering;
using Microsoft.AspNetCore.Components.Web.Virtualization;

namespace MPSec.Tests.Hosting.Load;

/// <summary>A page that is nothing but a long list.</summary>
[Route(Path)]
[Authorize]
public sealed class ListPage : ComponentBase
{
    public const string Path = "/list-of-a-test";

    protected override void BuildRenderTree(RenderTreeBuilder builder)
    {
        builder.OpenComponent<Virtualize<int>>(0);
        builder.AddComponentParameter(1, nameof(Virtualize<int>.Items), Enumerable.Range(0, 1000).ToArray());
        builder.AddComponentParameter(2, nameof(Virtualize<int>.ChildContent), (RenderFragment<int>)(i => b => b.AddContent(0, i)));
        builder.CloseComponent();
    }
}
